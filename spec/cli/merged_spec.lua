--- Commands that backends bring along.

local command = require "support.command"
local json = require "exhost.json"
local scratch = require "support.scratch"
local write = require "support.write"

local function put(path, text)
  os.execute("mkdir -p " .. path:match("^(.*)/"))
  write(path, text)
end

local HELLO = [[return { usage = "own-hello [--name NAME]", summary = "say hello", no_words = true,
  options = { { "--name", key = "name", value = "NAME", help = "to whom" } },
  run = function(ctx, parsed) ctx:print("hello " .. (parsed.name or "all")) return 3 end }]]

local function run(path, ...)
  return command.run(command.program, { "exhost", "--lua-path", path, ... })
end

describe("a backend's own command", function()
  local with = function(body)
    return scratch.with(function(_, path)
      put(path .. "/backends/own/init.lua", "return {}")
      put(path .. "/backends/own/cli/hello.lua", HELLO)
      body(path)
    end)
  end

  it("ends though it raises, with what it opened given back, and says so in JSON", with(
    function(path)
      put(path .. "/backends/own/cli/broken.lua", [[return { usage = "own-broken", summary = "",
        options = {}, run = function(ctx) return ctx:with_executor(function(ex)
          ex:policies():list()
          error "broken"
        end) end }]])
      local ran = command.run(command.program, { "exhost", "--lua-path", path, "--state-dir",
        path .. "/state", "--json", "own-broken" }, { limit = 10 })
      assert.same({ 1, "" }, { ran.code, ran.out })
      local failure = json.decode(ran.err).error
      assert.equal("internal", failure.code)
      assert.matches("^internal error: .*broken", failure.message)
    end))

  it("runs, with options and help, as any other", with(function(path)
    local ran = run(path, "own-hello", "--name", "x")
    assert.same({ 3, "hello x\n", "" }, { ran.code, ran.out, ran.err })
    assert.matches("unexpected", run(path, "own-hello", "word").err)
    assert.matches("did you mean own%-hello", run(path, "own-helo").err)
    assert.matches("own%-hello +say hello\n", run(path, "help").out)
    assert.matches("%-%-name NAME", run(path, "help", "own-hello").out)
    assert.matches("\nown%-hello\n", run(path, "help", "--words").out)
  end))

  it("that cannot be loaded says so, and keeps no other from working", with(function(path)
    put(path .. "/backends/own/cli/bad.lua", "return {")
    put(path .. "/backends/own/cli/open.lua", HELLO)
    os.execute("chmod 666 " .. path .. "/backends/own/cli/open.lua")
    local ran = run(path, "own-open")
    assert.equal(1, ran.code)
    assert.matches("own%-open: .*is not loaded", ran.err)
    assert.equal(1, run(path, "own-bad").code)
    assert.equal(3, run(path, "own-hello").code)
    ran = run(path, "help")
    assert.equal(0, ran.code, ran.err)
    assert.matches("own%-bad +not loaded: ", ran.out)
    assert.equal(0, run(path, "help", "--man").code)
  end))
end)
