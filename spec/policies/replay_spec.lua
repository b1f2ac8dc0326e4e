--- Recorded requests, decided by the policies in force and by one that is to come.

local executor = require "exhost.executor"
local gpus = require "support.gpus"
local json = require "exhost.json"
local policy = require "exhost.policy"
local replay = require "exhost.policy.replay"
local scratch = require "support.scratch"

local NEW = [[return { name = "nvidia", version = "new", vendor = "NVIDIA", pci_vendor = 0x10de,
  proc = "/proc/driver/nvidia/gpus",
  host_config = function(request, host, config)
    if request.job_id == "refused" then return nil, "not today" end
    config.DeviceRequests = {
      { DeviceIDs = { request.gpus[1].uuid }, Capabilities = { { "gpu" } } } }
    if request.job_id == "more" then config.CpusetCpus = "0-3" end
  end,
  env = function(request, host, env) if request.job_id == "more" then env.NEAR = "1" end end,
  examples = { { request = { gpus = { { uuid = "GPU-a" } } }, host = {}, expect = {} } } }]]

--- As an execution of that backend that has ended, or runs, leaves it.
local function record(ex, id, backend, uuid)
  local dir, lock = ex.state:create(id, {
    ["request.json"] = json.encode { job_id = id, execution_id = id,
      resources = { gpus = { { uuid = uuid } } }, engine_spec = { type = backend, params = {} } },
    ["state.json"] = json.encode { format = 1, phase = "running", backend = backend, job_id = id,
      execution_id = id, created_at = "2026-01-01T00:00:00Z" },
  })
  assert(dir, lock)
  lock:close()
  dir:close()
end

local function with(body)
  return scratch.with(function(_, path)
    local ex = assert(executor.open { id = "spec", state_dir = path .. "/state",
      settings = { inventory = gpus.make(path) } })
    record(ex, "same", "docker", "GPU-932b")
    record(ex, "more", "docker", "GPU-932b")
    record(ex, "refused", "docker", "GPU-other")
    record(ex, "gone", "docker", "GPU-of-another-day")
    record(ex, "process", "process", "GPU-932b")
    local file = assert(io.open(path .. "/nvidia.lua", "w"))
    file:write(NEW)
    file:close()
    body(ex, path)
    ex:close()
  end)
end

describe("replaying recorded requests", function()
  it("tells what would be decided differently, field by field", with(function(ex, path)
    local report = replay.run(ex, assert(policy.read(path .. "/nvidia.lua")))
    assert.equal(4, report.requests) -- a process is given no devices
    assert.equal(1, report.gone)
    local changed = {}
    for _, one in ipairs(report.changed) do changed[one.execution_id] = one.changes end
    assert.is_nil(changed.same)
    assert.same({ { field = "CpusetCpus", to = '"0-3"' }, { field = "env.NEAR", to = '"1"' } },
      { changed.more[1], changed.more[2] })
    local refused = changed.refused[#changed.refused]
    assert.same({ "refused", "policy nvidia version new refuses: not today" },
      { refused.field, refused.to })
    assert.equal("DeviceRequests", changed.refused[1].field)
    assert.is_nil(changed.refused[1].to)
  end))

  it("of the policy in force tells nothing", with(function(ex)
    local report = replay.run(ex, assert(policy.read(policy.paths().nvidia)))
    assert.same({ 4, 1, {} }, { report.requests, report.gone, report.changed })
  end))
end)
