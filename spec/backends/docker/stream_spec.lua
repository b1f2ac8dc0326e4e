--- A command in a container, on an engine that fails in every way that one can.

local async = require "exhost.async"
local client = require "backends.docker.client"
local dirs = require "exhost.dir"
local engine = require "support.engine"
local exec = require "backends.docker.exec"
local logread = require "exhost.logread"
local scratch = require "support.scratch"
local system = require "exhost.system"

local LIMIT = 100000

--- Run argv in the one container of a fake engine that does what `options` say.
local function with(options, body)
  return scratch.with(function(_, path)
    local fake = engine.fake(path, options)
    local api = assert(client.open(fake.socket))
    local ok, err = pcall(body, function(more)
      return exec(api, { record = { container = "x" } }, { "true" }, more or {}, LIMIT)
    end)
    api:close()
    fake:quit()
    if not ok then error(err, 0) end
  end)
end

describe("docker: a command's stream", function()
  it("gives both outputs and the code", with({ exec = { out = "a\0b", err = "c", exit = 5 } },
    function(run)
      local result = assert(run())
      assert.same({ 5, "a\0b", "c", false, false }, { result.exit_code, result.stdout,
        result.stderr, result.truncated.stdout, result.truncated.stderr })
    end))

  it("may come a byte at a time", with({ dribble = 1, exec = { out = "one", err = "two" } },
    function(run)
      local result = assert(run())
      assert.same({ "one", "two" }, { result.stdout, result.stderr })
    end))

  it("keeps the end of too much", with({ exec = { out = ("x"):rep(LIMIT) .. "end" } },
    function(run)
      local result = assert(run())
      assert.same({ LIMIT, "xend", true }, { #result.stdout, result.stdout:sub(-4),
        result.truncated.stdout })
    end))

  it("takes what the command is to read, from a file and from a pipe, and its end",
    with({ exec = { echo = true } }, function(run)
      local bytes = ("0123456789abcdef\n"):rep(3000)
      local file = assert(dirs.memory("spec", bytes))
      assert.equal(bytes, assert(run { stdin = system.dup(file:number()) }).stdout)
      file:close()
      local from, to = logread.pipe()
      local task = async.spawn(run, nil, { stdin = from })
      async.sleep(0.02)
      assert(system.write(to, bytes))
      system.close(to)
      local result = assert(async.join(task))
      assert.equal(bytes, result.stdout)
    end))

  it("comes as it is put out, no faster than it is read, and is whole",
    with({ exec = { out = "x", times = 4 * 2 ^ 20 } }, function(run)
      local from, to = logread.pipe()
      local task = async.spawn(run, nil, { targets = { stdout = to } })
      async.sleep(0.2)
      local before = system.read_some(from, 2 ^ 20)
      assert.truthy(#before > 0 and #before <= 2 ^ 18, #before)
      local count = #before
      repeat
        async.sleep(0.001)
        local bytes = system.read_some(from, 2 ^ 20)
        count = count + #(bytes or "")
      until bytes == ""
      assert.equal(0, assert(async.join(task)).exit_code)
      assert.equal(4 * 2 ^ 20, count)
      system.close(from)
    end))

  it("ends where nobody reads it any more", with({ exec = { out = "x", times = 4 * 2 ^ 20 } },
    function(run)
      local from, to = logread.pipe()
      system.close(from)
      local result = assert(run { targets = { stdout = to } })
      assert.is_true(result.broken)
    end))

  for status, code in pairs { [404] = "not_found", [409] = "engine", [500] = "engine" } do
    it("may be refused with " .. status, with({ status = { exec_start = { status } } },
      function(run)
        local _, err, word, data = run()
        assert.same({ "as asked", code, status }, { err, word, data.status })
      end))
  end

  for what, bytes in pairs {
    ["no HTTP"] = "hello\r\n\r\n", ["no frames"] = "HTTP/1.1 101 X\r\n\r\nno frames here",
    ["half a frame"] = "HTTP/1.1 200 OK\r\n\r\n\1\0\0\0\0\0\0\9abc", ["nothing"] = "",
  } do
    it("may be " .. what, with({ raw = { exec_start = bytes } }, function(run)
      local _, err, code = run()
      assert.matches("the engine", err)
      assert.equal("unavailable", code)
    end))
  end

  it("may be cut anywhere, and leaves nothing open", scratch.with(function(_, path)
    local whole = 84 -- the head, and "one" in a frame
    for at = 0, whole - 1, 6 do
      local fake = engine.fake(path, { cut = { exec_start = at }, exec = { out = "one" } })
      local api = assert(client.open(fake.socket))
      assert(api:negotiate())
      local before = scratch.count(scratch.descriptors())
      local stdin = system.dup(0)
      local _, err, code = exec(api, { record = { container = "x" } }, { "true" },
        { stdin = stdin }, LIMIT)
      assert.same({ "unavailable", true }, { code, err:find("the engine", 1, true) ~= nil }, at)
      async.sleep(0.01)
      assert.is_true(scratch.count(scratch.descriptors()) <= before + 1, at) -- what is kept alive
      api:close()
      fake:quit()
    end
  end))

  it("is of no engine at all", scratch.with(function(_, path)
    local api = assert(client.open(path .. "/none"))
    api.version = "1.41"
    local from, to = logread.pipe()
    local _, err, code = api:stream("/exec/e1/start", { body = {}, stdout = to,
      stderr = system.dup(to) })
    assert.matches("cannot be reached: no such file or directory", err)
    assert.equal("unavailable", code)
    system.close(from)
    api:close()
  end))
end)
