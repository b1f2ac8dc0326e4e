local c = require "conformance.helper"

local CATCH = "trap 'echo usr' USR1; trap 'echo hup' HUP; echo up; while :; do sleep 0.01; done"

describe(c.name .. ": signal", function()
  it("reaches the main process and ends nothing by itself", c.verb("signal", CATCH,
    function(ex, id)
      c.wait_for_output(ex, id, "up\n")
      for _, signal in ipairs { "USR1", "SIGUSR1", "sigusr1", 10 } do
        assert.is_true(ex:signal(id, signal))
        assert.equal("running", ex:status(id))
      end
      c.wait_for_output(ex, id, "usr\n")
      assert(ex:signal(id, "HUP"))
      c.wait_for_output(ex, id, "hup\n")
    end))

  it("may end it, and that is told", c.verb("signal", "echo up; exec sleep 30", function(ex, id)
    c.wait_for_output(ex, id, "up\n")
    assert(ex:signal(id, "KILL"))
    local result = assert(ex:wait(id))
    assert.equal(137, result.exit_code)
    assert.equal("failed", ex:status(id))
    local _, _, code = ex:signal(id, "TERM")
    assert.equal("already_completed", code)
  end))

  it("takes real-time signals", c.verb("signal", "echo up; exec sleep 30", function(ex, id)
    c.wait_for_output(ex, id, "up\n")
    if c.is_init then return assert.is_true(ex:signal(id, "RTMIN+3")) end
    assert(ex:signal(id, "RTMIN+3"))
    assert.equal(128 + 37, assert(ex:wait(id)).exit_code)
  end))

  it("refuses what is none, and unknown ids", c.verb("signal", "sleep 30", function(ex, id)
    for _, signal in ipairs { "SIGFOO", 0, 65, "-1", "" } do
      local _, _, code = ex:signal(id, signal)
      assert.equal("invalid", code)
    end
    local _, _, code = ex:signal("nobody", "TERM")
    assert.equal("not_found", code)
    assert.equal("running", ex:status(id))
  end))
end)
