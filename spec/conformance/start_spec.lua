local c = require "conformance.helper"

describe(c.name .. ": start", function()
  it("returns when the workload runs, with its id", c.with(function(ex)
    local request = c.request(c.sh("sleep 30"))
    assert.equal(request.execution_id, ex:start(request))
    assert.equal("running", ex:status(request.execution_id))
  end))

  it("refuses an execution id that is taken", c.with(function(ex)
    local request = c.request(c.sh("sleep 30"))
    assert(ex:start(request))
    local id, err, code = ex:start(request)
    assert.same({ nil, "execution is already started", "already_started" }, { id, err, code })
    assert(ex:cancel(request.execution_id, { signal = "KILL" }))
    local _, _, completed = ex:start(request)
    assert.equal("already_completed", completed)
  end))

  it("refuses a taken execution id under another job, and that job stays free", c.with(function(ex)
    local request = c.request(c.sh("sleep 30"))
    assert(ex:start(request))
    local other = c.request(c.sh("true"))
    other.execution_id = request.execution_id
    local _, _, code = ex:start(other)
    assert.equal("already_started", code)
    local _, _, found = ex:find(other.job_id)
    assert.equal("not_found", found)
  end))

  it("adopts a running job under a new execution id, and runs it once", c.with(function(ex)
    local first = c.request(c.sh("echo once; sleep 30"))
    assert(ex:start(first))
    c.wait_for_output(ex, first.execution_id, "once\n")
    local second = c.request(c.sh("echo twice"))
    second.job_id = first.job_id
    assert.equal(second.execution_id, ex:start(second))
    assert.equal("running", ex:status(second.execution_id))
    assert(ex:cancel(second.execution_id, { signal = "KILL" }))
    assert.equal("once\n", ex:wait(second.execution_id).stdout)
    assert.equal("once\n", ex:wait(first.execution_id).stdout)
  end))

  it("gives a finished job's result to a new execution id", c.with(function(ex)
    local first = c.request(c.sh("echo once; exit 3"))
    assert.equal(3, ex:run(first).exit_code)
    local second = c.request(c.sh("echo twice"))
    second.job_id = first.job_id
    local result = assert(ex:run(second))
    assert.same({ 3, "once\n" }, { result.exit_code, result.stdout })
  end))

  it("leaves nothing of a start that failed but its story", c.with(function(ex)
    local request = c.request({ "/nowhere/at/all" })
    local id, err, code = ex:start(request)
    assert.is_nil(id)
    assert.matches("/nowhere/at/all", err)
    assert.equal("engine", code)
    local _, missing, not_found = ex:status(request.execution_id)
    assert.equal("not_found", not_found)
    assert.equal("execution (" .. request.execution_id .. ") not found", missing)
    assert.is_true(#assert(ex:why(request.execution_id)) > 0)
    local again = c.request(c.sh("exit 0"))
    again.job_id, again.execution_id = request.job_id, request.execution_id
    assert.equal(0, assert(ex:run(again)).exit_code)
  end))

  it("of several starts of one id lets one win", c.with(function(ex)
    local async = require "exhost.async"
    local request = c.request(c.sh("echo one; sleep 0.1"))
    local starts = {}
    for i = 1, 8 do starts[i] = function() return ex:start(request) end end
    local won = 0
    for _, answer in ipairs(async.all(starts)) do
      if answer[1] then won = won + 1 else assert.equal("already_started", answer[3]) end
    end
    assert.equal(1, won)
    assert.equal("one\n", ex:wait(request.execution_id).stdout)
  end))
end)
