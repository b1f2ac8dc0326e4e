local backend = require "exhost.backend"
local build = require "exhost.build"
local command = require "support.command"
local scratch = require "support.scratch"
local shape = require "exhost.shape"
local system = require "exhost.system"

local GOOD = [[
local function no() end
return { name = "NAME", capabilities = {}, params = {}, open = no, plan = no, check = no,
  create = no, source = no, conclude = no, remove = no, list = no, MORE }]]

--- A root with a backend of that text. Answers its name, which nothing else has.
local function write(dir, text, parts)
  local name = "b" .. system.random_hex(6)
  local folder = dir:open("backends", true):open(name, true)
  folder:write("init.lua", (text:gsub("NAME", name):gsub("MORE", "")))
  for part, content in pairs(parts or {}) do
    folder:write(part, (content:gsub("NAME", name)))
  end
  return name
end

local function load_error(dir, path, text)
  local name = write(dir, text)
  local loaded, err, code = backend.load(name, path)
  assert.is_nil(loaded)
  return err:gsub(name, "NAME"):gsub(path, "ROOT"), code
end

describe("backend.load", function()
  it("finds a folder, in the first root that has it", scratch.with(function(dir, path)
    local name = write(dir, GOOD)
    local other = dir:open("other", true)
    local text = GOOD:gsub("= {}", "= { first = true }", 1):gsub("NAME", name)
    other:open("backends", true):open(name, true):write("init.lua", (text:gsub("MORE", "")))
    assert.is_nil(backend.load(name, path).capabilities.first)
    assert.is_true(backend.load(name, path .. "/other:" .. path).capabilities.first)
    assert.same({ path .. "/none", path, "/etc/exhost", build.share },
      backend.roots(path .. "/none:" .. path))
  end))

  it("names what is wrong with the table, and the backend", scratch.with(function(dir, path)
    for text, expected in pairs {
      [GOOD:gsub("plan = no,", "")] = "backend NAME.plan: expected function, got nil",
      [GOOD:gsub("plan = no", "plan = 1")] = "backend NAME.plan: expected function, got number",
      [GOOD:gsub("MORE", "strat = no")] = "backend NAME.strat: unknown field",
      [GOOD:gsub("MORE", "pause = true")] = "backend NAME.pause: expected function, got boolean",
      [GOOD:gsub("MORE", "[1] = no")] = "backend NAME.1: unknown field",
      ["return 7"] = "backend NAME: expected a table, got number",
      [""] = "backend NAME: expected a table, got nil",
    } do
      assert.same({ expected, "invalid" }, { load_error(dir, path, text) })
    end
  end))

  it("tells a file that does not compile from one that fails", scratch.with(function(dir, path)
    local err, code = load_error(dir, path, "return {")
    assert.matches("^load backend NAME: .*init.lua:1: unexpected symbol", err)
    assert.equal("invalid", code)
    err, code = load_error(dir, path, "error 'broken'")
    assert.matches("^load backend NAME: .*init.lua:1: broken$", err)
    assert.equal("internal", code)
  end))

  it("loads no file that others could have written", scratch.with(function(dir, path)
    local name = write(dir, GOOD)
    command.sh("chmod 0666 $D/backends/" .. name .. "/init.lua", { env = { D = path } })
    local loaded, err, code = backend.load(name, path)
    assert.same({ "nil", "denied" }, { type(loaded), code })
    assert.matches("is writable by others %(make it owned by root or you, mode go%-w%)", err)
  end))

  it("lets parts of a backend find each other, with the same care", scratch.with(
    function(dir, path)
      local name = write(dir, [[local part = require "backends.NAME.part" ]] .. GOOD:gsub(
        "params = {}", "params = part"), { ["part.lua"] = "return { mine = 'NAME' }" })
      assert.equal(name, backend.load(name, path).params.mine)
      name = write(dir, [[require "backends.NAME.none"]])
      local _, err = backend.load(name, path)
      assert.matches("no such part of backend " .. name, err)
      name = write(dir, [[require "backends.NAME.open"]], { ["open.lua"] = "return 1" })
      command.sh("chmod 0666 $D/backends/" .. name .. "/open.lua", { env = { D = path } })
      _, err = backend.load(name, path)
      assert.matches("open%.lua is not loaded", err)
    end))

  it("says which backends there are", scratch.with(function(dir, path)
    local name = write(dir, GOOD)
    local loaded, err, code = backend.load("nosuch", path)
    assert.same({ "nil", "not_found" }, { type(loaded), code })
    assert.equal(string.format(
      'no backend "nosuch" (have: %s, docker, firecracker, process)', name), err)
    dir:open("backends"):mkdir("empty")
    dir:open("backends"):mkdir("Not-A-Name")
    assert.same({ name, "docker", "firecracker", "process" }, backend.names(path))
    for _, bad in ipairs { "", "../x", "A", "a/b", "a.b", ".", {}, 7 } do
      assert.equal("invalid", select(3, backend.load(bad, path)))
    end
  end))
end)

describe("shape.check", function()
  it("answers the table, or the first thing that is wrong", function()
    local contract = { a = "string", b = "number?" }
    local value = { a = "x" }
    assert.equal(value, shape.check("it", value, contract))
    assert.same({ nil, "it.a: expected string, got nil" }, { shape.check("it", {}, contract) })
    assert.same({ nil, "it.b: expected number, got string" },
      { shape.check("it", { a = "x", b = "1" }, contract) })
    assert.same({ nil, "it.c: unknown field" }, { shape.check("it", { a = "x", c = 1 }, contract) })
    assert.same({ nil, "it: expected a table, got nil" }, { shape.check("it", nil, contract) })
  end)
end)
