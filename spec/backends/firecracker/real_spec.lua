--- What a real binary makes of guests of a few instructions (support/real.lua).

local machines = require "support.machines"
local real = require "support.real"
local scratch = require "support.scratch"

local function wait_for_line(ex, id)
  assert.is_true(scratch.wait_until(function()
    local stream = assert(ex:get_log_stream(id))
    local bytes = require("conformance.helper").read(stream)
    return bytes == "tiny guest\n"
  end))
end

describe("a real monitor", function()
  local why = real.missing()
  if why then
    pending(why)
    return
  end

  for _, how in ipairs { "RESET", "TRIPLE" } do
    it("whose guest ends by " .. how:lower() .. " gives its console, and no exit code", real.boots(
      how, function(ex, asked)
        local r = assert(ex:run(asked))
        assert.same({ nil, "lost", "tiny guest\n" }, { r.exit_code, r.reason, r.stdout })
        assert.is_number(r.evidence.vmm.exit_code)
        assert(ex:remove(asked.execution_id))
      end))
  end

  it("whose guest halts is paused, resumed, and stopped", real.boots("HALT", function(ex, asked)
    local id = asked.execution_id
    assert(ex:start(asked))
    wait_for_line(ex, id)
    assert(ex:pause(id))
    assert.equal("paused", ex:status(id))
    assert(ex:resume(id))
    assert.equal("running", ex:status(id))
    assert.is_true(assert(ex:stats(id)).memory.usage > 0)
    assert(ex:cancel(id))
    assert.same({ nil, "cancelled" }, { ex:wait(id).exit_code, ex:wait(id).reason })
    assert.equal(0, machines.processes(id))
  end))

  it("whose guest halts is ended by its deadline", real.boots("HALT", function(ex, asked)
    assert.equal("timeout", assert(ex:run(asked)).reason)
  end, { timeout = 0.5 }))

  it("whose guest floods the console goes on, and the log has its limit", real.boots("FLOOD",
    function(ex, asked)
      local r = assert(ex:run(asked))
      assert.same({ "timeout", true, 4096 }, { r.reason, r.truncated.stdout,
        r.evidence.stdout_bytes - r.evidence.stdout_dropped })
      assert.equal(("tiny guest\n"):rep(3), r.stdout:sub(1, 33))
    end, { timeout = 1 }, { log_limit = 4096 }))

  it("whose guest says its end on the console has that exit code", machines.with(
    function(ex, request, path)
      local asked = request "never run"
      asked.engine_spec.params.kernel_image = real.record_guest(path)
      local r = assert(ex:run(asked))
      assert.same({ 7, "exited", "serial" }, { r.exit_code, r.reason, r.evidence.report })
      assert.matches("^output\n.*END kind=exit code=0\n$", r.stdout) -- which nobody believes
      assert(ex:remove(asked.execution_id))
    end, real.settings()))

  it("refuses what is no kernel in its own words", real.boots("RESET", function(ex, asked, path)
    local file = assert(io.open(path .. "/RESET", "wb"))
    file:write("\127ELF", ("x"):rep(1000))
    file:close()
    local r = assert(ex:run(asked))
    assert.equal("start_failed", r.reason)
    assert.matches("the workload never ran: .*[Kk]ernel", r.error_msg)
  end))
end)
