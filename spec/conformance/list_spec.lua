local c = require "conformance.helper"

describe(c.name .. ": list, find, info", function()
  it("lists what was not removed", c.with(function(ex)
    local running, ended = c.request(c.sh("sleep 30")), c.request(c.sh("exit 5"))
    assert(ex:start(running))
    assert(ex:run(ended))
    local byid = {}
    for _, entry in ipairs(ex:list()) do byid[entry.execution_id] = entry end
    assert.is_true(byid[running.execution_id].running)
    assert.same({ false, 5, "failed" }, { byid[ended.execution_id].running,
      byid[ended.execution_id].exit_code, byid[ended.execution_id].status })
    assert(ex:remove(ended.execution_id))
    assert.equal(1, #ex:list())
  end))

  it("finds the execution that holds a job", c.with(function(ex)
    local request = c.request(c.sh("sleep 30"))
    assert(ex:start(request))
    assert.equal(request.execution_id, ex:find(request.job_id))
    ex.only = c.name
    assert.equal(request.execution_id, ex:find(request.job_id))
    ex.only = "another"
    assert.equal("not_found", (select(3, ex:find(request.job_id))))
    ex.only = nil
    for _, job in ipairs { "nobody", "../jobs", "" } do
      local _, err, code = ex:find(job)
      assert.equal("not_found", code)
      assert.matches("unable to find", err)
    end
  end))

  it("tells what is known of an execution, without secrets", c.with(function(ex)
    local request = c.request(c.sh("exit 0"))
    request.engine_spec.params.environment = { "TOKEN=s3cret-value" }
    assert(ex:run(request))
    local info = assert(ex:info(request.execution_id))
    assert.same({ request.execution_id, request.job_id, c.name, "success" },
      { info.execution_id, info.job_id, info.backend, info.status })
    local text = assert(require("exhost.json").encode(info))
    assert.is_nil(text:find("s3cret-value", 1, true))
    assert.is_truthy(text:find("TOKEN=***", 1, true))
    local _, _, code = ex:info("nobody")
    assert.equal("not_found", code)
  end))
end)
