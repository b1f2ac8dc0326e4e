local c = require "conformance.helper"

describe(c.name .. ": plan", function()
  it("says what would be sent and touches nothing", c.with(function(ex)
    local request = c.request(c.sh("exit 0"))
    local plan = assert(ex:plan(request))
    assert.same({ c.name, request.execution_id }, { plan.backend, plan.execution_id })
    assert.is_table(plan.body)
    assert.same({}, ex:list())
    local _, _, code = ex:status(request.execution_id)
    assert.equal("not_found", code)
  end))

  it("refuses what start would refuse, with a path", c.with(function(ex)
    local request = c.request(c.sh("exit 0"))
    request.engine_spec.params.enviroment = { "A=1" }
    local _, err, code = ex:plan(request)
    assert.equal("invalid", code)
    assert.equal('engine_spec.params.enviroment: unknown field (did you mean "environment"?)', err)
    local _, same, also = ex:start(request)
    assert.same({ err, code }, { same, also })
  end))
end)
