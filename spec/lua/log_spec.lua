local async = require "exhost.async"
local c = require "conformance.helper"
local loop = require "exhost.loop"
local scratch = require "support.scratch"
local system = require "exhost.system"

describe("log options", function()
  it("are checked, and named in errors", c.with(function(ex)
    for message, options in pairs {
      ["log option formt: unknown"] = { formt = "raw" },
      ["log option lines: expected number, got string"] = { lines = "3" },
      ["log option lines: expected a whole number of 0 or more"] = { lines = -1 },
      ["log option format: expected raw, frames or jsonl, got xml"] = { format = "xml" },
      ["log option stream: expected stdout or stderr, got both"] = { stream = "both" },
      ["log option follow: expected boolean, got number"] = { follow = 1 },
    } do
      assert.same({ nil, message, "invalid" }, { ex:get_log_stream("x", options) })
    end
    assert.equal("invalid", select(3, ex:get_log_stream("x", { lines = 1.5 })))
    assert.equal("not_found", select(3, ex:get_log_stream("x")))
  end))
end)

describe("a log stream", function()
  it("that follows ends at `until`, though the job runs on", c.with(function(ex)
    local request = c.request(c.sh("echo out; sleep 60"))
    assert(ex:start(request))
    local stream = assert(ex:get_log_stream(request.execution_id,
      { follow = true, ["until"] = loop.time() + 0.3 }))
    assert.equal("out\n", c.read(stream))
    assert.equal("running", ex:status(request.execution_id))
    stream = ex:get_log_stream(request.execution_id, { follow = true, ["until"] = 1 })
    assert.equal("", c.read(stream))
    ex:cancel(request.execution_id, { signal = "KILL" })
  end))

  it("may be waited for, closed early, and is closed with its executor", c.with(function(ex)
    local request = c.request(c.sh("echo out; sleep 60"))
    local id = request.execution_id
    assert(ex:start(request))
    local stream = assert(ex:get_log_stream(id, { follow = true }))
    assert.same({ nil, "timeout", "timeout" }, { async.with_deadline(0.01, stream.wait, stream) })
    stream:close()
    stream:close()
    local other = c.open { state_dir = ex.state.path }
    local fd = assert(other:get_log_stream(id, { follow = true })):take()
    other:close()
    local ends, bytes = loop.now() + 10, nil
    while bytes ~= "" and loop.now() < ends do
      bytes = system.read_some(fd)
      async.sleep(0.002)
    end
    assert.equal("", bytes)
    system.close(fd)
    ex:cancel(id, { signal = "KILL" })
    stream = ex:get_log_stream(id, { follow = true })
    assert.is_true(stream:wait())
    assert.is_true(stream:wait())
    assert.equal("out\n", c.read(stream))
  end))

  it("says when its reader went away", c.with(function(ex)
    local request = c.request(c.sh("while :; do echo out; sleep 0.01; done"))
    assert(ex:start(request))
    local stream = assert(ex:get_log_stream(request.execution_id, { follow = true }))
    system.close(stream:take())
    assert.is_true(stream:wait())
    assert.is_true(stream.broken)
    ex:cancel(request.execution_id, { signal = "KILL" })
  end))

  it("of one reader holds up no other, nor the job", c.with(function(ex)
    local request = c.request(c.sh("head -c 3000000 /dev/zero | tr '\\0' x"))
    assert(ex:start(request))
    local slow = assert(ex:get_log_stream(request.execution_id, { follow = true }))
    local fast = assert(ex:get_log_stream(request.execution_id, { follow = true }))
    assert.equal(3000000, #c.read(fast))
    assert.equal(0, ex:wait(request.execution_id).exit_code)
    assert.equal(3000000, #c.read(slow))
  end))

  it("from a ResultsDir holds this execution's output only", scratch.with(function(dir, path)
    dir:write("stdout.log", "older\n")
    local ex = c.open()
    for i = 1, 2 do
      local request = c.request(c.sh("echo run " .. i), { results_dir = path })
      assert.equal("run " .. i .. "\n", assert(ex:run(request)).stdout)
      assert.equal("run " .. i .. "\n",
        c.read(ex:get_log_stream(request.execution_id, { follow = true, lines = 9 })))
    end
    assert.equal("older\nrun 1\nrun 2\n", dir:read("stdout.log"))
    ex:cleanup()
    scratch.remove(ex.state.path)
    ex:close()
  end))
end)
