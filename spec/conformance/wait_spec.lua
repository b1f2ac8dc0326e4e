local c = require "conformance.helper"

describe(c.name .. ": wait", function()
  it("answers again and again, also another host", c.with(function(ex)
    local request = c.request(c.sh("echo x; exit 2"))
    local first = assert(ex:run(request))
    assert.same(first, ex:wait(request.execution_id))
    local other = c.open { state_dir = ex.state.path }
    assert.same(first, other:wait(request.execution_id))
    other:close()
  end))

  it("gives up at its time-out and leaves the job alone", c.with(function(ex)
    local request = c.request(c.sh("sleep 30"))
    assert(ex:start(request))
    local _, err, code = ex:wait(request.execution_id, 0.05)
    assert.equal("timeout", code)
    assert.matches("timeout", err)
    assert.equal("running", ex:status(request.execution_id))
  end))

  it("is told by a host that did not start it", c.with(function(ex)
    local request = c.request(c.sh("sleep 0.2; exit 9"))
    assert(ex:start(request))
    local other = c.open { state_dir = ex.state.path }
    assert.equal(9, assert(other:wait(request.execution_id)).exit_code)
    other:close()
  end))

  it("knows nothing of an unknown id", c.with(function(ex)
    for _, id in ipairs { "nobody", "../x", "" } do
      local _, err, code = ex:wait(id)
      assert.same({ "execution (" .. id .. ") not found", "not_found" }, { err, code })
    end
  end))

  it("answers many waiters at once", c.with(function(ex)
    local async = require "exhost.async"
    local request = c.request(c.sh("sleep 0.1; exit 4"))
    assert(ex:start(request))
    local waits = {}
    for i = 1, 20 do waits[i] = function() return ex:wait(request.execution_id) end end
    for _, answer in ipairs(async.all(waits)) do assert.equal(4, answer[1].exit_code) end
  end))
end)
