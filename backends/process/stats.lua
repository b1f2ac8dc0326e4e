--- What a running execution uses: from its control group where there is one, else summed
-- over its processes in /proc. Units and names as DMS's ExecutorStats.

local async = require "exhost.async"
local cgroup = require "exhost.cgroup"
local fs = require "exhost.fs"
local loop = require "exhost.loop"

local SAMPLE_SECONDS = 0.1    -- between two looks at processor time, when there was no earlier one
local TICKS_NS = 1e9 / 100    -- USER_HZ is 100 on x86 and ARM
local KIB = 1024

--- Fields of /proc/PID/stat after the name, which may hold anything; state is the first.
local function stat_fields(pid)
  local rest = (fs.read("/proc/" .. pid .. "/stat") or ""):match("^.*%) (.*)$")
  if not rest then return nil end
  local fields = {}
  for word in rest:gmatch("%S+") do fields[#fields + 1] = word end
  return fields
end

--- A process and all below it, by the kernel's lists of children.
local function family(pid, list)
  list[#list + 1] = pid
  for task in (fs.read("/proc/" .. pid .. "/task/" .. pid .. "/children") or ""):gmatch("%d+") do
    family(tonumber(task), list)
  end
  return list
end

local function add_processes(sum, pids)
  for _, pid in ipairs(pids) do
    local fields = stat_fields(pid)
    if fields then
      -- proc(5): utime stime cutime cstime are 14-17; ours count from state, 3.
      sum.user = sum.user + (fields[12] + fields[14]) * TICKS_NS
      sum.system = sum.system + (fields[13] + fields[15]) * TICKS_NS
      local rss = (fs.read("/proc/" .. pid .. "/status") or ""):match("VmRSS:%s*(%d+)")
      sum.rss = sum.rss + (tonumber(rss) or 0) * KIB
      local io_text = fs.read("/proc/" .. pid .. "/io") or ""
      sum.read = sum.read + (tonumber(io_text:match("read_bytes: (%d+)")) or 0)
      sum.written = sum.written + (tonumber(io_text:match("write_bytes: (%d+)")) or 0)
      sum.pids = sum.pids + 1
    end
  end
end

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
local function sample(groups, execution)
  local handle, own = execution.handle, {}
  local pids
  if handle and handle ~= "none" then
    local function get(controller, file)
      return cgroup.read(groups, handle, controller, file)
    end
    own = groups.version == 2 and version2(get) or version1(get)
    pids = cgroup.pids(groups, handle)
  else
    pids = family(execution.record.pid, {})
  end
  local sum = { user = 0, system = 0, rss = 0, read = 0, written = 0, pids = 0 }
  add_processes(sum, pids)
  return {
    at = loop.now(), total = own.total or sum.user + sum.system, user = own.user or sum.user,
    system = own.system or sum.system, memory = own.memory or sum.rss,
    memory_max = own.memory_max, read = own.read or sum.read, written = own.written or sum.written,
    pids = sum.pids,
  }
end

local function memory_limit(execution)
  local limit = execution.plan.limits and execution.plan.limits.memory
  if limit then return limit end
  local total = number_of(fs.read("/proc/meminfo"), "MemTotal:%s+(%d+)")
  return total and total * 1024 or 0
end

local function percent(now, before)
  local elapsed = (now.at - before.at) * 1e9
  return elapsed > 0 and math.max(0, (now.total - before.total) / elapsed * 100) or 0
end

local function whole(value) return math.floor(value or 0) end

--- cpu_usage.percent is of one core since the last look (of this host), else over 0.1 s.
--- A process has the host's network: no numbers of its own. Suspends.
---@return table stats
return function(backend, execution)
  local samples = backend.samples
  local before = samples[execution.id]
  if not before then
    before = sample(backend:groups_of(execution), execution)
    local ok, word = async.sleep(SAMPLE_SECONDS)
    if not ok then return nil, word, word end
  end
  local now = sample(backend:groups_of(execution), execution)
  samples[execution.id] = now
  local limit = memory_limit(execution)
  return {
    cpu_usage = { total_usage = whole(now.total), usage_in_kernelmode = whole(now.system),
      usage_in_usermode = whole(now.user), percent = percent(now, before) },
    memory = { usage = whole(now.memory), max_usage = whole(now.memory_max or now.memory),
      limit = limit, percent = limit > 0 and now.memory / limit * 100 or 0 },
    network = { rx_bytes = 0, rx_packets = 0, rx_errors = 0, rx_dropped = 0,
      tx_bytes = 0, tx_packets = 0, tx_errors = 0, tx_dropped = 0 },
    block_io = { read_bytes = whole(now.read), write_bytes = whole(now.written) },
    pids = now.pids, timestamp = math.floor(loop.time() * 1000),
  }
end
