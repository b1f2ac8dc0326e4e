--- What a running execution uses: from its control group where there is one, else summed
-- over its processes in /proc.

local cgroup = require "exhost.cgroup"
local usage = require "exhost.usage"

local TICKS_NS = 1e9 / 100    -- USER_HZ is 100 on x86 and ARM

local function number_of(text, pattern)
  return text and tonumber(text:match(pattern or "^(%d+)")) or nil
end

--- Counters of a group, version 1. Groups joined only for their limits may be missing.
local function version1(get)
  local ticks = get("cpuacct", "cpuacct.stat")
  return {
    total = number_of(get("cpuacct", "cpuacct.usage")),
    user = ticks and number_of(ticks, "user (%d+)") * TICKS_NS,
    system = ticks and number_of(ticks, "system (%d+)") * TICKS_NS,
    memory = number_of(get("memory", "memory.usage_in_bytes")),
    memory_max = number_of(get("memory", "memory.max_usage_in_bytes")),
  }
end

local function version2(get)
  local cpu, io_text = get("", "cpu.stat"), get("", "io.stat")
  local read_bytes, written = io_text and 0, io_text and 0
  for r, w in (io_text or ""):gmatch("rbytes=(%d+) wbytes=(%d+)") do
    read_bytes, written = read_bytes + r, written + w
  end
  local function microseconds(name)
    local value = number_of(cpu, name .. " (%d+)")
    return value and value * 1000
  end
  return {
    total = microseconds "usage_usec", user = microseconds "user_usec",
    system = microseconds "system_usec", memory = number_of(get("", "memory.current")),
    memory_max = number_of(get("", "memory.peak")), read = read_bytes, written = written,
  }
end

--- One look: what the group counts, and the processes for the rest.
local function look(groups, execution)
  local handle, own = execution.handle, {}
  local pids
  if handle and handle ~= "none" then
    local function get(controller, file)
      return cgroup.read(groups, handle, controller, file)
    end
    own = groups.version == 2 and version2(get) or version1(get)
    pids = cgroup.pids(groups, handle)
  else
    pids = usage.family(execution.record.pid)
  end
  local sum = usage.of(pids)
  return {
    total = own.total or sum.user + sum.system, user = own.user or sum.user,
    system = own.system or sum.system, memory = own.memory or sum.rss,
    memory_max = own.memory_max, read = own.read or sum.read, written = own.written or sum.written,
    pids = sum.pids,
  }
end

--- Suspends: exhost.usage has the form.
---@return table? stats, string? err, string? code
return function(backend, execution)
  local limit = execution.plan.limits and execution.plan.limits.memory
  return usage.stats(backend.samples, execution.id, function()
    return look(backend:groups_of(execution), execution)
  end, limit or usage.machine_memory() or 0)
end
