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

  it("tells of a limit that cannot be kept, or refuses it where that is strict", c.with(
    function(ex)
      local request = c.request(c.sh("exit 0"), { resources = { ram = { size = 1024 } } })
      local told = table.concat(assert(ex:plan(request)).warnings, "\n")
      assert.matches("not enforced: memory limit .*1024 bytes", told)
      for _, asked in ipairs { "request", "settings" } do
        request.enforce = asked == "request" and "strict" or nil
        ex.settings.enforce = asked == "settings" and "strict" or "warn"
        local _, err, code = ex:start(request)
        assert.equal("unsupported", code)
        assert.matches("enforce is strict.*memory limit", err)
        assert.equal("not_found", select(3, ex:status(request.execution_id)))
      end
    end))
end)
