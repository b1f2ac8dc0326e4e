local c = require "conformance.helper"

describe(c.name .. ": status and wait_for_status", function()
  it("goes from running to its end", c.with(function(ex)
    local good, bad = c.request(c.sh("sleep 0.2")), c.request(c.sh("exit 1"))
    assert(ex:start(good))
    assert.equal("running", ex:status(good.execution_id))
    assert.is_true(ex:wait_for_status(good.execution_id, "success", 5))
    assert(ex:run(bad))
    assert.equal("failed", ex:status(bad.execution_id))
  end))

  it("says at once when a status cannot come any more", c.with(function(ex)
    local request = c.request(c.sh("exit 1"))
    assert(ex:run(request))
    local _, err, code = ex:wait_for_status(request.execution_id, "running", 5)
    assert.equal("already_completed", code)
    assert.matches("did not reach status running", err)
  end))

  it("refuses a word that is no status, and lists them", c.with(function(ex)
    for _, word in ipairs { "runing", "RUNNING", "" } do
      local _, err, code = ex:wait_for_status("nobody", word, 5)
      assert.same({ 'wait_for_status: status: expected "pending", "running", "paused", "success" '
        .. 'or "failed", got "' .. word .. '"', "invalid" }, { err, code })
    end
    local _, err, code = ex:wait_for_status("nobody")
    assert.equal("invalid", code)
    assert.matches("got nothing$", err)
  end))

  it("times out", c.with(function(ex)
    local request = c.request(c.sh("sleep 30"))
    assert(ex:start(request))
    local _, err, code = ex:wait_for_status(request.execution_id, "success", 0.1)
    assert.equal("timeout", code)
    assert.matches("did not reach status success", err)
    _, err, code = ex:wait_for_status(request.execution_id, "paused", 0.1)
    assert.equal("timeout", code)
    assert.matches("did not reach status paused", err)
    local _, _, unknown = ex:wait_for_status("nobody", "success", 0.1)
    assert.equal("not_found", unknown)
  end))
end)
