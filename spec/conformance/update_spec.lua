local c = require "conformance.helper"

local MIB = 1024 * 1024

describe(c.name .. ": update", function()
  it("changes a limit of what runs, or says that it cannot", c.with(function(ex)
    -- Enough for a machine's kernel, too.
    local request = c.request(c.sh "sleep 30", { resources = { ram = { size = 128 * MIB } } })
    assert(ex:start(request))
    local ok, err, code = ex:update(request.execution_id, { memory = "256m" })
    -- A backend, a machine or an engine may have no way to; it says so.
    assert.is_true(ok == true or code == "unsupported", err)
    assert.equal("running", ex:status(request.execution_id))
  end))

  it("refuses what is no limit", c.verb("update", "sleep 30", function(ex, id)
    for _, wrong in ipairs { {}, { memory = -1 }, { memory = "much" }, { cores = 0 }, { disk = 5 },
      { pids = "x" } } do
      local _, err, code = ex:update(id, wrong)
      assert.equal("invalid", code)
      assert.matches("^update: ", err)
    end
    assert.equal("running", ex:status(id))
  end))

  it("gives no more than the operator's ceiling", c.verb("update", "sleep 30", function(ex, id)
    ex.settings.ceiling = { memory = 256 * MIB, cores = 1, pids = 100 }
    for name, value in pairs { memory = "257m", cores = 1.5, pids = 101 } do
      local _, err, code = ex:update(id, { [name] = value })
      assert.equal("denied", code)
      assert.matches("ceiling%." .. name .. " would allow it", err)
    end
    local ok, err, code = ex:update(id, { memory = "256m" })
    assert.is_true(ok == true or code == "unsupported", err)
  end))

  it("has no business with what has ended, or never was", c.verb("update", "sleep 30",
    function(ex, id)
      assert(ex:cancel(id, { grace = 0 }))
      assert.equal("already_completed", (select(3, ex:update(id, { pids = 10 }))))
      assert.equal("not_found", (select(3, ex:update("never-was", { pids = 10 }))))
    end))
end)
