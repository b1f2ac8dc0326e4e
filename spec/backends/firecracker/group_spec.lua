--- The control group around a machine's monitor.

local cgroup = require "exhost.cgroup"
local machine = require "backends.firecracker.machine"
local machines = require "support.machines"
local state = require "exhost.state"

local with = machines.with
local MIB = 1024 * 1024

local function handle_of(ex, id)
  local dir = ex.state:open_execution(id)
  local handle = state.read(dir).handle
  dir:close()
  return handle
end

local function limit_of(groups, handle)
  if groups.version == 2 then return cgroup.read(groups, handle, "", "memory.max") end
  return cgroup.read(groups, handle, "memory", "memory.limit_in_bytes")
end

describe("the control group of a microVM", function()
  it("holds relay and monitor, with limits of its own, until it is removed", with(
    function(ex, request)
      local groups = assert(ex:backend()).groups
      if groups.version == 0 then return pending "needs control groups" end
      local asked = request("while :; do sleep 0.05; done", nil,
        { resources = { ram = { size = 100 * MIB }, cpu = { cores = 0.5 } } })
      local id = asked.execution_id
      assert(ex:start(asked))
      local handle = handle_of(ex, id)
      assert.is_true(#cgroup.pids(groups, handle) >= 3)
      if groups.controllers.memory then
        assert.equal(134 * MIB, tonumber(limit_of(groups, handle)))
      end
      if groups.version == 1 and groups.controllers.cpu then
        local quota = cgroup.read(groups, handle, "cpu", "cpu.cfs_quota_us")
        local period = cgroup.read(groups, handle, "cpu", "cpu.cfs_period_us")
        assert.equal(0.5, quota / period)
      end
      assert.equal(134 * MIB, assert(ex:stats(id)).memory.limit)
      assert(ex:remove(id, 1))
      assert.same({}, cgroup.pids(groups, handle))
      assert.is_nil(cgroup.read(groups, handle, groups.version == 2 and "" or "memory",
        "cgroup.procs"))
    end))

  it("is what the machine is ended by when its supervisor died", with(function(ex, request)
    local groups = assert(ex:backend()).groups
    if groups.version == 0 then return pending "needs control groups" end
    local asked = request "while :; do sleep 0.05; done"
    local id = asked.execution_id
    assert(ex:start(asked))
    local handle = handle_of(ex, id)
    for _, pid in ipairs(cgroup.pids(groups, handle)) do
      local file = io.open("/proc/" .. pid .. "/cmdline")
      local line = file and file:read "*a" or ""
      if file then file:close() end
      if line:find("exhost-relay", 1, true) then
        local stat = assert(io.open("/proc/" .. pid .. "/stat")):read "*a"
        os.execute("kill -9 " .. stat:match("^%d+ %b() %S (%d+)"))
      end
    end
    assert.equal("lost", ex:wait(id).reason)
    assert.same({}, cgroup.pids(groups, handle))
    assert.equal(0, machines.processes(id))
  end))

  it("leaves whole cores to the machine, and tells of a fraction that nobody keeps", function()
    local size = { vcpu_count = 2, mem_size_mib = 640 }
    assert.same({ memory = (640 + 42) * MIB, cores = 1.5 }, machine.limits(size, 1.5))
    assert.same({ memory = (640 + 42) * MIB }, machine.limits(size, 0))
  end)
end)
