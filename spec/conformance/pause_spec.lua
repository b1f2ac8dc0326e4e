local c = require "conformance.helper"
local async = require "exhost.async"

local TICKS = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done"

local function bytes(ex, id)
  return #c.read(assert(ex:get_log_stream(id)))
end

describe(c.name .. ": pause and resume", function()
  it("stop its clock and let it go on", c.verb("pause", TICKS, function(ex, id)
    c.wait_for_output(ex, id, "2\n")
    assert.is_true(ex:pause(id))
    assert.equal("paused", ex:status(id))
    async.sleep(0.05)
    local before = bytes(ex, id)
    async.sleep(0.1)
    assert.equal(before, bytes(ex, id))
    assert.is_true(ex:resume(id))
    assert.equal("running", ex:status(id))
    local _, lines = c.read(assert(ex:get_log_stream(id))):gsub("\n", "")
    c.wait_for_output(ex, id, "\n" .. lines + 2 .. "\n")
  end))

  it("wake those who wait for the status", c.verb("pause", TICKS, function(ex, id)
    local woken = async.spawn(function() return ex:wait_for_status(id, "paused", 5) end)
    async.sleep(0.02)
    assert(ex:pause(id))
    assert.is_true(async.join(woken))
  end))

  it("are errors where they do not apply", c.verb("pause", TICKS, function(ex, id)
    local _, err, code = ex:resume(id)
    assert.same({ "invalid", "execution (" .. id .. ") is not paused" }, { code, err })
    assert(ex:pause(id))
    _, err, code = ex:pause(id)
    assert.same({ "invalid", "execution (" .. id .. ") is already paused" }, { code, err })
    for _, verb in ipairs { "pause", "resume" } do
      _, err, code = ex[verb](ex, "nobody")
      assert.same({ "not_found", "execution (nobody) not found" }, { code, err })
    end
  end))

  it("a paused one is cancelled like any other", c.verb("pause",
    "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done", function(ex, id)
      c.wait_for_output(ex, id, "up\n")
      assert(ex:pause(id))
      assert(ex:cancel(id))
      local result = assert(ex:wait(id))
      assert.same({ "cancelled", "up\nbye\n" }, { result.reason, result.stdout })
      assert.equal("failed", ex:status(id))
      local _, _, code = ex:pause(id)
      assert.equal("already_completed", code)
    end))

  it("a paused one is removed like any other", c.verb("pause", "sleep 30", function(ex, id)
    assert(ex:pause(id))
    assert(ex:remove(id, 1))
  end))

  it("are seen by every host", c.verb("pause", TICKS, function(ex, id)
    assert(ex:pause(id))
    local other = c.open { state_dir = ex.state.path }
    assert.equal("paused", other:status(id))
    assert(other:resume(id))
    other:close()
    assert.equal("running", ex:status(id))
  end))
end)
