--- What a control group counts, in the form that exhost.usage takes.

local cgroup = require "exhost.cgroup"
local usage = require "exhost.usage"

local TICKS_NS = 1e9 / 100    -- USER_HZ is 100 on x86 and ARM

local groupusage = {}

local function number_of(text, pattern)
  return text and tonumber(text:match(pattern or "^(%d+)")) or nil
end

--- Bytes by direction, summed over the devices ("8:0 Read 4096").
local function blocks(text, name)
  if not text then return nil end
  local sum = 0
  for bytes in text:gmatch(" " .. name .. " (%d+)") do sum = sum + bytes end
  return sum
end

--- Counters of a group, version 1. Groups joined only for their limits may be missing.
local function version1(get)
  local ticks = get("cpuacct", "cpuacct.stat")
  local io_text = get("blkio", "blkio.throttle.io_service_bytes_recursive")
  return {
    total = number_of(get("cpuacct", "cpuacct.usage")),
    user = ticks and number_of(ticks, "user (%d+)") * TICKS_NS,
    system = ticks and number_of(ticks, "system (%d+)") * TICKS_NS,
    memory = number_of(get("memory", "memory.usage_in_bytes")),
    memory_max = number_of(get("memory", "memory.max_usage_in_bytes")),
    inactive = number_of(get("memory", "memory.stat"), "total_inactive_file (%d+)"),
    read = blocks(io_text, "Read"), written = blocks(io_text, "Write"),
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
    inactive = number_of(get("", "memory.stat"), "inactive_file (%d+)"),
  }
end

--- One look: what the group counts, and its processes for what it does not.
---@param groups exhost.Cgroups
---@param name string
---@param without_cache boolean? leave out file pages that the kernel could give back at once
---@return table seen as usage.stats' look, integer[] pids
function groupusage.look(groups, name, without_cache)
  local function get(controller, file)
    return cgroup.read(groups, name, controller, file)
  end
  local own = groups.version == 2 and version2(get) or version1(get)
  local pids = cgroup.pids(groups, name)
  local sum = usage.of(pids)
  local memory = own.memory or sum.rss
  if without_cache then memory = math.max(memory - (own.inactive or 0), 0) end
  return {
    total = own.total or sum.user + sum.system, user = own.user or sum.user,
    system = own.system or sum.system, memory = memory, memory_max = own.memory_max,
    read = own.read or sum.read, written = own.written or sum.written, pids = sum.pids,
  }, pids
end

return groupusage
