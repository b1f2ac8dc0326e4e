local c = require "conformance.helper"
local loop = require "exhost.loop"

describe(c.name .. ": cancel", function()
  it("lets a job end in its own way, and calls it cancelled", c.with(function(ex)
    local request = c.request(c.sh(
      "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"))
    assert(ex:start(request))
    c.wait_for_output(ex, request.execution_id, "up\n")
    assert.is_true(ex:cancel(request.execution_id))
    local result = ex:wait(request.execution_id)
    assert.same({ 0, "cancelled", "up\nbye\n" }, { result.exit_code, result.reason, result.stdout })
    assert.equal("failed", ex:status(request.execution_id))
  end))

  it("kills after the grace", c.with(function(ex)
    local request = c.request(c.sh("trap '' TERM; echo up; while :; do sleep 0.05; done"))
    assert(ex:start(request))
    c.wait_for_output(ex, request.execution_id, "up\n")
    local before = loop.now()
    assert(ex:cancel(request.execution_id, { grace = 0.2 }))
    assert.is_true(loop.now() - before >= 0.2)
    local result = ex:wait(request.execution_id)
    assert.same({ 137, "cancelled" }, { result.exit_code, result.reason })
  end))

  it("sends the signal that is asked for", c.with(function(ex)
    for _, signal in ipairs { "QUIT", "SIGQUIT", 3 } do
      local request = c.request(c.sh(
        "trap 'echo q; exit' QUIT; echo up; while :; do sleep 0.05; done"))
      assert(ex:start(request))
      c.wait_for_output(ex, request.execution_id, "up\n")
      assert(ex:cancel(request.execution_id, { signal = signal }))
      assert.equal("up\nq\n", ex:wait(request.execution_id).stdout)
    end
  end))

  it("refuses what is no signal, and sends nothing", c.with(function(ex)
    local request = c.request(c.sh("sleep 30"))
    assert(ex:start(request))
    for _, signal in ipairs { "SIGFOO", 0, 65, "-1" } do
      local _, _, code = ex:cancel(request.execution_id, { signal = signal })
      assert.equal("invalid", code)
    end
    assert.equal("running", ex:status(request.execution_id))
  end))

  it("may be repeated while it stops, and is an error after the end", c.with(function(ex)
    local request = c.request(c.sh("trap '' TERM; echo up; while :; do sleep 0.05; done"))
    assert(ex:start(request))
    c.wait_for_output(ex, request.execution_id, "up\n")
    assert.is_true(ex:cancel(request.execution_id, { wait = false }))
    assert.is_true(ex:cancel(request.execution_id, { wait = false }))
    assert.is_true(ex:cancel(request.execution_id, { signal = "KILL" }))
    local _, _, code = ex:cancel(request.execution_id)
    assert.equal("already_completed", code)
    local _, err, unknown = ex:cancel("nobody")
    assert.same({ "failed to cancel execution (nobody). execution not found", "not_found" },
      { err, unknown })
  end))
end)
