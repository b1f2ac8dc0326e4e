local c = require "conformance.helper"
local async = require "exhost.async"
local dirs = require "exhost.dir"
local loop = require "exhost.loop"
local system = require "exhost.system"

local IDLE = "echo up; while :; do sleep 0.05; done"

describe(c.name .. ": exec", function()
  it("answers exit code and output", c.verb("exec", IDLE, function(ex, id)
    local result = assert(ex:exec(id, c.sh "echo out; echo err >&2; exit 3"))
    assert.same({ 3, "out\n", "err\n" }, { result.exit_code, result.stdout, result.stderr })
    assert.equal(0, assert(ex:exec(id, { "true" })).exit_code)
    assert.equal("running", ex:status(id))
  end))

  it("argv stays argv", c.verb("exec", IDLE, function(ex, id)
    local words = { "a b", "", "$HOME", "x'y", "ü\n", "*" }
    local result = assert(ex:exec(id, { "printf", "<%s>", unpack(words) }))
    assert.equal("<" .. table.concat(words, "><") .. ">", result.stdout)
  end))

  it("keeps any bytes, and the last of too many", c.verb("exec", IDLE, function(ex, id)
    assert.equal("\0\255\254", assert(ex:exec(id, c.sh "printf '\\0\\377\\376'")).stdout)
    local count = "i=0; while [ $i -lt 999 ]; do echo $i; i=$((i+1)); done"
    local result = assert(ex:exec(id, c.sh(count)))
    assert.equal(100, #result.stdout)
    assert.matches("997\n998\n$", result.stdout)
    assert.same({ stdout = true, stderr = false }, result.truncated)
  end, { settings = { output_limit = 100 } }))

  it("gives it what it is to read, or says that it cannot", c.verb("exec", IDLE, function(ex, id)
    local file = assert(dirs.memory("spec", "one\ntwo\n"))
    local result, err, code = ex:exec(id, { "cat" }, { stdin = system.dup(file:number()) })
    file:close()
    if ex:backend().capabilities.exec_stdin then
      return assert.same({ 0, "one\ntwo\n" }, { result.exit_code, result.stdout })
    end
    assert.equal("unsupported", code)
    assert.matches("gives a command no stdin$", err)
    assert.equal(0, assert(ex:exec(id, { "true" })).exit_code)
  end))

  it("says what cannot be executed", c.verb("exec", IDLE, function(ex, id)
    local result, err, _, data = ex:exec(id, { "/no/such/program" })
    if result then return assert.is_true(result.exit_code == 126 or result.exit_code == 127) end
    assert.matches("/no/such/program", err)
    assert.equal("ENOENT", data.name)
    for _, argv in ipairs { {}, { "" }, { 1 }, { "a\0b" } } do
      local _, _, code = ex:exec(id, argv)
      assert.equal("invalid", code)
    end
    assert.equal("invalid", select(3, ex:exec(id, "true")))
  end))

  it("is ended by its time-out, and the execution goes on", c.verb("exec", IDLE, function(ex, id)
    local before = loop.now()
    local _, _, code = ex:exec(id, { "sleep", "30" }, { timeout = 0.2 })
    assert.equal("timeout", code)
    assert.is_true(loop.now() - before < 10)
    assert.equal("running", ex:status(id))
  end))

  it("runs many at once", c.verb("exec", IDLE, function(ex, id)
    local tasks = {}
    for i = 1, 10 do
      tasks[i] = async.spawn(function() return ex:exec(id, c.sh("sleep 0.05; exit " .. i)) end)
    end
    for i = 1, 10 do assert.equal(i, assert(async.join(tasks[i])).exit_code) end
  end))

  it("ends with its execution", c.verb("exec", IDLE, function(ex, id)
    local waiting = async.spawn(function() return ex:exec(id, { "sleep", "30" }) end)
    async.sleep(0.1)
    assert(ex:cancel(id, { grace = 0 }))
    local result, _, code = async.join(waiting)
    assert.is_true(code == "already_completed" or result.exit_code == 137)
    local _, err = ex:exec(id, { "true" })
    assert.equal("execution (" .. id .. ") is not running", err)
    assert.equal("not_found", select(3, ex:exec("nobody", { "true" })))
  end))
end)
