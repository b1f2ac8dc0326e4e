--- The engine's numbers for a container, in DMS's form.
-- Field names: Docker Engine API 1.41, ContainerStats; the percentages are the docker
-- command's formulas.

local containers = require "backends.docker.containers"
local groupstats = require "backends.docker.groupstats"
local loop = require "exhost.loop"

local NETWORK = { "rx_bytes", "rx_packets", "rx_errors", "rx_dropped", "tx_bytes", "tx_packets",
  "tx_errors", "tx_dropped" }

local function cpu(s)
  local now, before = s.cpu_stats or {}, s.precpu_stats or {}
  local usage = now.cpu_usage or {}
  local used = (usage.total_usage or 0) - ((before.cpu_usage or {}).total_usage or 0)
  local elapsed = (now.system_cpu_usage or 0) - (before.system_cpu_usage or 0)
  local cores = now.online_cpus or #(usage.percpu_usage or {})
  return { total_usage = usage.total_usage or 0,
    usage_in_kernelmode = usage.usage_in_kernelmode or 0,
    usage_in_usermode = usage.usage_in_usermode or 0,
    percent = elapsed > 0 and used > 0 and used / elapsed * math.max(cores, 1) * 100 or 0 }
end

--- Without what the kernel could give back at once.
local function memory(s)
  local stats = s.memory_stats or {}
  local inactive = (stats.stats or {}).total_inactive_file or (stats.stats or {}).inactive_file or 0
  local usage = math.max((stats.usage or 0) - inactive, 0)
  local limit = stats.limit or 0
  return { usage = usage, max_usage = stats.max_usage or usage, limit = limit,
    percent = limit > 0 and usage / limit * 100 or 0 }
end

local function network(s)
  local sum = {}
  for _, name in ipairs(NETWORK) do sum[name] = 0 end
  for _, device in pairs(s.networks or {}) do
    for _, name in ipairs(NETWORK) do sum[name] = sum[name] + (device[name] or 0) end
  end
  return sum
end

local function blocks(s)
  local sum = { read_bytes = 0, write_bytes = 0 }
  for _, entry in ipairs((s.blkio_stats or {}).io_service_bytes_recursive or {}) do
    local op = tostring(entry.op):lower()
    local name = op == "read" and "read_bytes" or op == "write" and "write_bytes"
    if name then sum[name] = sum[name] + (entry.value or 0) end
  end
  return sum
end

--- By the engine it takes 1 to 2 s, as that looks twice for the processor's share. Suspends.
---@return table? stats, string? err, string? code, table? data
return function(backend, execution)
  local api, id = backend.api, execution.record.container
  local host = (execution.plan.create or {}).HostConfig or {} -- none where it was adopted
  local found = id and groupstats(backend.samples, execution.id, id, host.Memory)
  if found then return found end
  local s, err, code, data = api:call("GET", containers.path(execution) .. "/stats",
    { query = { stream = "false" } })
  if not s then return nil, err, code, data end
  return { cpu_usage = cpu(s), memory = memory(s), network = network(s), block_io = blocks(s),
    pids = (s.pids_stats or {}).current, timestamp = math.floor(loop.time() * 1000) }
end
