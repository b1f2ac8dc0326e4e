local c = require "conformance.helper"
local cgroup = require "exhost.cgroup"

describe("process: control groups", function()
  it("are found by a host that is in another group itself", c.with(function(ex)
    local request = c.request(c.sh("sleep 60"))
    local id = request.execution_id
    assert(ex:start(request))
    local backend = assert(ex:backend())
    if backend.groups.version ~= 1 then
      pending("needs root and version 1 control groups")
    end
    local parents = {}
    for controller, path in pairs(backend.groups.parents) do
      parents[controller] = path:gsub("/exhost$", "/elsewhere/exhost")
    end
    local own = backend.groups
    backend.groups = setmetatable({ parents = parents }, { __index = own })
    assert.is_true(ex:pause(id))
    assert.equal("paused", ex:status(id))
    assert.is_true(ex:resume(id))
    assert.is_table(ex:stats(id))
    local dir = ex.state:open_execution(id)
    local handle = require("exhost.state").read(dir).handle
    dir:close()
    assert.is_true(#cgroup.pids(own, handle) > 0)
    assert.is_true(ex:remove(id, 1))
    assert.is_nil(cgroup.read(own, handle, "freezer", "cgroup.procs"))
  end))
end)
