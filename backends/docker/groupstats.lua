--- What a container uses, from its control group: at once, where engines take 1 to 2 s to look
-- twice. Only where engine and we are on one machine and see the same groups.

local fs = require "exhost.fs"
local groupusage = require "exhost.groupusage"
local usage = require "exhost.usage"

local ROOT = "/sys/fs/cgroup"
local CONTROLLERS = { "memory", "cpuacct", "blkio", "pids" }

-- Where engines have the groups of their containers, by whatever manages them. Each name holds
-- the whole id, so that it is nobody else's.
local PLACES = { { "docker", "%s" }, { "system.slice", "docker-%s.scope" },
  { "libpod_parent", "libpod-%s" }, { "machine.slice", "libpod-%s.scope" } }

local function is_group(parent, name)
  return fs.read(parent .. "/" .. name .. "/cgroup.procs") ~= nil
end

--- The groups of a container, as exhost.cgroup takes them; nil when they are not seen from here.
---@return exhost.Cgroups? groups, string? name
local function find(id)
  for _, place in ipairs(PLACES) do
    local name = place[2]:format(id)
    if is_group(ROOT .. "/memory/" .. place[1], name) then
      local parents = { freezer = ROOT .. "/memory/" .. place[1] } -- for the processes
      for _, controller in ipairs(CONTROLLERS) do
        parents[controller] = ROOT .. "/" .. controller .. "/" .. place[1]
      end
      return { version = 1, parents = parents }, name
    elseif is_group(ROOT .. "/" .. place[1], name) then
      local parent = ROOT .. "/" .. place[1]
      return { version = 2, parents = { [""] = parent, freezer = parent } }, name
    end
  end
  return nil
end

local FIELDS = { "rx_bytes", "rx_packets", "rx_errors", "rx_dropped", false, false, false, false,
  "tx_bytes", "tx_packets", "tx_errors", "tx_dropped" }

--- What went over the devices of a process' network, but the loopback (proc(5), net/dev).
local function network(pid)
  local sum = {}
  for _, name in ipairs(FIELDS) do if name then sum[name] = 0 end end
  for device, numbers in (fs.read("/proc/" .. pid .. "/net/dev") or ""):gmatch("(%S+):([%d ]+)") do
    local at = 0
    for number in numbers:gmatch("%d+") do
      at = at + 1
      local name = device ~= "lo" and FIELDS[at]
      if name then sum[name] = sum[name] + tonumber(number) end
    end
  end
  return sum
end

--- Suspends.
---@param samples table the last looks, by execution
---@param id string the container's whole id
---@param limit number? bytes of memory
---@return table? stats nil: the engine has to be asked
return function(samples, execution, id, limit)
  local groups, name = find(id)
  if not groups then return nil end
  local pids
  local stats, err, code = usage.stats(samples, execution, function()
    local seen
    seen, pids = groupusage.look(groups, name, true)
    return seen
  end, limit or usage.machine_memory() or 0)
  if not stats then return nil, err, code end
  if not pids[1] then return nil end -- it has just ended
  stats.network = network(pids[1])
  return stats
end
