--- Figures of a host that serves: a call over its socket, its rest, `ps` of a thousand, output
--- while a prompt in it loops.
--
--   exhost lua spec/bench/serve.lua PROGRAM FOLDER BASELINE

local async = require "exhost.async"
local client = require "exhost.client"
local executor = require "exhost.executor"
local loop = require "exhost.loop"
local figures = dofile "spec/bench/figures.lua"

local line, median = figures.line, figures.median

local program, folder, baseline = arg[1], arg[2], arg[3]
local CALLS, MANY, ROUNDS = 2000, 1000, 15

local function start_all(ex)
  local next_one, tasks = 0, {}
  for i = 1, 16 do
    tasks[i] = async.spawn(function()
      while next_one < MANY do
        next_one = next_one + 1
        assert(ex:run { engine_spec = { type = "process", params = { cmd = { "/bin/true" } } } })
      end
    end)
  end
  for _, task in ipairs(tasks) do async.join(task) end
end

local function calls(host, count)
  local times = {}
  for i = 1, count do
    local from = loop.now()
    assert(host:call("id"))
    times[i] = (loop.now() - from) * 1e6
  end
  return median(times)
end

--- Start a program in the background; answers its pid.
local function background(command)
  local pipe = io.popen(command .. " >/dev/null 2>&1 & echo $!")
  local pid = pipe:read("*n")
  pipe:close()
  return pid
end

--- How old a job's lines are when a follower has them: p50 and p90, us.
local function follow_ages(ex)
  local id = assert(ex:start { engine_spec = { type = "process", params = {
    cmd = { baseline, "stamp", "300", "5" } } } })
  local pipe = io.popen(string.format("%s --state-dir %s logs -f %s | %s latency", program, folder,
    id, baseline))
  local p50, p90 = pipe:read("*a"):match("([%d.]+) ([%d.]+)")
  pipe:close()
  assert(ex:wait(id))
  return tonumber(p50) / 1000, tonumber(p90) / 1000
end

local function looping_prompt(ex)
  local quiet, quiet_most = follow_ages(ex)
  local prompt = background(string.format("%s --state-dir %s repl --attach -e 'while true do end'",
    program, folder))
  async.sleep(0.5)
  local looped, looped_most = follow_ages(ex)
  os.execute("kill -INT " .. prompt)
  line("follow latency while a prompt loops: p50, p90", "%.2f, %.2f ms (else %.2f, %.2f)", looped,
    looped_most, quiet, quiet_most)
end

local function ps()
  local times = {}
  for i = 1, ROUNDS do
    local from = loop.now()
    os.execute(string.format("%s --state-dir %s ps -a >/dev/null", program, folder))
    times[i] = (loop.now() - from) * 1000
  end
  return median(times)
end

async.join(async.spawn(function()
  local pid = background(string.format("%s --state-dir %s serve --attach", program, folder))
  local ex = assert(executor.open { state_dir = folder })
  local host
  for _ = 1, 500 do
    host = client.open(ex.state.dir)
    if host then break end
    async.sleep(0.01)
  end
  calls(host, 200)
  line("serve: a call over the socket, p50", "%.0f us (an exchange with cat: %.0f)",
    calls(host, CALLS), figures.exchange(CALLS, 60))
  looping_prompt(ex)
  start_all(ex)
  async.sleep(2)
  local before = figures.processor(pid)
  async.sleep(2)
  line("serve: processor time in 2 s of rest", "%d ms", figures.processor(pid) - before)
  line("serve: memory after " .. MANY .. " executions",
    "%.1f MB (RSS)", figures.read("/proc/" .. pid .. "/status"):match("VmRSS:%s+(%d+)") / 1024)
  line("ps -a of " .. MANY .. " executions, a whole process, p50", "%.0f ms", ps())
  host:close()
  os.execute("kill " .. pid)
  ex:cleanup()
  ex:close()
end))
