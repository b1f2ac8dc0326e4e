--- What processes use, by /proc, and the form that stats have. Units and names as DMS's
-- ExecutorStats.

local async = require "exhost.async"
local fs = require "exhost.fs"
local loop = require "exhost.loop"

local SAMPLE_SECONDS = 0.1    -- between two looks at processor time, when there was no earlier one
local TICKS_NS = 1e9 / 100    -- USER_HZ is 100 on x86 and ARM
local KIB = 1024

local usage = {}

--- Fields of /proc/PID/stat after the name, which may hold anything; state is the first.
local function stat_fields(pid)
  local rest = (fs.read("/proc/" .. pid .. "/stat") or ""):match("^.*%) (.*)$")
  if not rest then return nil end
  local fields = {}
  for word in rest:gmatch("%S+") do fields[#fields + 1] = word end
  return fields
end

--- A process and all below it, by the kernel's lists of children.
---@param list integer[]? what to add them to
---@return integer[] pids
function usage.family(pid, list)
  list = list or {}
  list[#list + 1] = pid
  for task in (fs.read("/proc/" .. pid .. "/task/" .. pid .. "/children") or ""):gmatch("%d+") do
    usage.family(tonumber(task), list)
  end
  return list
end

--- What processes have used so far: user and system in nanoseconds, rss, read and written in
--- bytes, pids. Those that are gone count as nothing.
---@param pids integer[]
function usage.of(pids)
  local sum = { user = 0, system = 0, rss = 0, read = 0, written = 0, pids = 0 }
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
  return sum
end

--- Memory of this machine, in bytes.
---@return number? bytes
function usage.machine_memory()
  local kib = (fs.read("/proc/meminfo") or ""):match("MemTotal:%s+(%d+)")
  return kib and tonumber(kib) * KIB
end

local function percent(now, before)
  local elapsed = (now.at - before.at) * 1e9
  return elapsed > 0 and math.max(0, (now.total - before.total) / elapsed * 100) or 0
end

local function whole(value) return math.floor(value or 0) end

--- Stats from two looks. cpu_usage.percent is of one core since the last look (of this host),
--- else over 0.1 s. Without a network of its own the numbers of that are 0. Suspends.
---@param samples table the last looks, by execution
---@param look fun(): table total, user, system (ns), memory, memory_max?, read, written, pids
---@param limit number bytes of memory; 0: none
---@return table? stats, string? err, string? code
function usage.stats(samples, id, look, limit)
  local function sample()
    local seen = look()
    seen.at = loop.now()
    return seen
  end
  local before = samples[id]
  if not before then
    before = sample()
    local ok, word = async.sleep(SAMPLE_SECONDS)
    if not ok then return nil, word, word end
  end
  local now = sample()
  samples[id] = now
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

return usage
