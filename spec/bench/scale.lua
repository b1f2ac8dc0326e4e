--- Figures of many: shims' memory, a thousand executions of one host, opening again.
--
--   exhost lua spec/bench/scale.lua FOLDER [EXECUTIONS]

local async = require "exhost.async"
local executor = require "exhost.executor"
local loop = require "exhost.loop"
local figures = dofile "spec/bench/figures.lua"

local line, median, memory, read = figures.line, figures.median, figures.memory, figures.read

local folder, count = arg[1], tonumber(arg[2] or 1000)
local SHIMS = 20
local SLOW_READERS, OUTPUT_MIB, ROUNDS = 10, 256, 7

local function parent(pid)
  return tonumber(read("/proc/" .. pid .. "/stat"):match("^%d+ %(.*%) %a (%d+)"))
end

local function start_all(ex, prefix, n, argv)
  local ids, tasks = {}, {}
  local next_one = 0
  for _ = 1, 16 do
    tasks[#tasks + 1] = async.spawn(function()
      while next_one < n do
        next_one = next_one + 1
        local id = prefix .. next_one
        local started = assert(ex:start { job_id = id, execution_id = id, stop_grace = 1,
          engine_spec = { type = "process", params = { cmd = argv } } })
        ids[#ids + 1] = started
      end
    end)
  end
  for _, task in ipairs(tasks) do async.join(task) end
  return ids
end

local function shims(ex)
  local ids = start_all(ex, "shim-", SHIMS, { "/bin/sleep", "1000" })
  async.sleep(1.5) -- read buffers are given back after a second of silence
  local pss, private = 0, 0
  for _, id in ipairs(ids) do
    local shim = parent(ex:info(id).pid)
    pss = pss + memory(shim, "\nPss")
    private = private + memory(shim, "Private_%a+")
  end
  line("a shim of " .. SHIMS .. ": PSS, private", "%.0f kB, %.0f kB", pss / SHIMS, private / SHIMS)
  for _, id in ipairs(ids) do ex:cancel(id, { grace = 0 }) end
end

--- Seconds that a job needs for its output while this many readers hold a pipe and read nothing.
local function output_with(ex, readers)
  local id = assert(ex:start { engine_spec = { type = "process", params = { cmd = { "/bin/sh",
    "-c", "sleep 0.3; dd if=/dev/zero bs=64k count=" .. OUTPUT_MIB * 16 .. " 2>/dev/null" } } } })
  local streams = {}
  for i = 1, readers do streams[i] = assert(ex:get_log_stream(id, { follow = true })) end
  async.sleep(0.2)
  local from = loop.now()
  assert(ex:wait(id).exit_code == 0)
  local took = loop.now() - from
  for _, stream in ipairs(streams) do stream:close() end
  ex:remove(id, 0, { purge = true })
  return took
end

local function execs(ex)
  local id = assert(ex:start { engine_spec = { type = "process", params = {
    cmd = { "/bin/sleep", "1000" } } } })
  local times = {}
  for i = 1, 50 do
    local from = loop.now()
    assert(ex:exec(id, { "/bin/true" }))
    times[i] = loop.now() - from
  end
  line("an exec of true, p50", "%.1f ms", median(times) * 1000)
  ex:cancel(id, { grace = 0 })
end

local function slow_readers(ex)
  local ratios = {}
  for i = 1, ROUNDS do
    local alone = output_with(ex, 0)
    ratios[i] = alone / output_with(ex, SLOW_READERS)
  end
  line(SLOW_READERS .. " readers that read nothing: the job's own progress", "%.2f of alone",
    median(ratios))
end

local function thousand(ex)
  collectgarbage() collectgarbage()
  local before = memory("self", "\nPss")
  local from = loop.now()
  local ids = start_all(ex, "many-", count, { "/bin/sleep", "1000" })
  line(count .. " started, 16 at a time", "%.1f s", loop.now() - from)
  local waits = {}
  for i, id in ipairs(ids) do
    waits[i] = async.spawn(function() return ex:wait(id) end, { on_error = function() end })
  end
  async.sleep(1)
  collectgarbage() collectgarbage()
  line("the host's memory for one that is waited for", "%.1f kB",
    (memory("self", "\nPss") - before) / count)
  local before_rest = figures.processor("self")
  async.sleep(2)
  line("the host's processor time in 2 s of rest", "%d ms", figures.processor("self") - before_rest)
  for i = 1, count / 2 do ex:cancel(ids[i], { grace = 0, wait = false }) end
  for i = 1, count / 2 do async.join(waits[i]) end
  return waits
end

local function reopen(settings)
  local from = loop.now()
  local ex = assert(executor.open { id = "scale", state_dir = folder, settings = settings })
  ex:recover()
  local opened = loop.now() - from
  local list = ex:list()
  line("opened again with " .. #list .. ", half of them running", "%.2f s (list %.2f s)", opened,
    loop.now() - from - opened)
  return ex
end

local ex = assert(executor.open { id = "scale", state_dir = folder })
shims(ex)
execs(ex)
slow_readers(ex)
local waits = thousand(ex)
local other = reopen()
other:cleanup()
for _, task in ipairs(waits) do async.join(task) end
other:close()
ex:close()
