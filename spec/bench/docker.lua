--- Figures of containers, each beside the least that any client of the engine can do, in the
-- same run: docker_floor.c, which is sent the body that `plan` shows.
--
--   exhost lua spec/bench/docker.lua FLOOR FOLDER [PAIRS [MANY [MIB]]]
--
-- EXHOST_DOCKER_SOCKET names the engine's socket; it has an image bb:1, a busybox.

local async = require "exhost.async"
local executor = require "exhost.executor"
local ffi = require "ffi"
local figures = dofile "spec/bench/figures.lua"
local json = require "exhost.json"
local loop = require "exhost.loop"
package.path = "./?.lua;./spec/?.lua;" .. package.path
local client = require "backends.docker.client"
local processes = require "crash.processes"

local line, median, memory, read = figures.line, figures.median, figures.memory, figures.read

local floor, folder = arg[1], arg[2]
local PAIRS, MANY, MIB = tonumber(arg[3] or 40), tonumber(arg[4] or 100), tonumber(arg[5] or 128)
local FOLLOWED, AT_ONCE, WAITS, STRANGERS, OUTPUTS = 20, 8, 20, 200, 3
local LINE = ("x"):rep(99)

local socket = os.getenv("EXHOST_DOCKER_SOCKET")
if not socket then
  print("containers: skipped, EXHOST_DOCKER_SOCKET is not set")
  return
end

ffi.cdef [[
  typedef struct { long user_s, user_us, kernel_s, kernel_us, rest[14]; } bench_usage;
  int getrusage(int, bench_usage *);
]]
local SELF, CHILDREN = 0, -1

--- Processor time so far, in ms, of this host and of the shims that it has seen end.
local function processor()
  local total, usage = 0, ffi.new("bench_usage")
  for _, who in ipairs { SELF, CHILDREN } do
    ffi.C.getrusage(who, usage)
    total = total + tonumber(usage.user_s + usage.kernel_s) * 1000
      + tonumber(usage.user_us + usage.kernel_us) / 1000
  end
  return total
end

local ex = assert(executor.open { id = "bench", state_dir = folder .. "/state", backend = "docker",
  settings = { backends = { docker = { host = socket } } } })
local next_id = 0

--- A request for a container without a network, as the floor's.
local function request(argv)
  next_id = next_id + 1
  local id = "bench-" .. next_id
  return { job_id = id, execution_id = id, stop_grace = 1,
    resources = { ram = { size = 67108864 }, cpu = { cores = 1 } },
    engine_spec = { type = "docker", params = { image = "bb:1", entrypoint = argv,
      network = "none" } } }
end

--- The file with the body that such a request is sent with.
local function body(argv)
  local path = folder .. "/body.json"
  local file = assert(io.open(path, "w"))
  file:write(assert(json.encode(assert(ex:plan(request(argv))).body.create)))
  file:close()
  return path
end

--- Start the floor; read what it prints, later.
local function floor_pipe(verb, ...)
  return assert(io.popen(table.concat({ floor, verb, socket, ... }, " ")))
end

--- The numbers of its last line.
local function numbers(pipe)
  local found = {}
  for text in pipe:lines() do
    found = {}
    for number in text:gmatch("%S+") do found[#found + 1] = tonumber(number) end
  end
  pipe:close()
  return unpack(found)
end

local function run(argv)
  local id = assert(ex:start(request(argv)))
  local result = assert(ex:wait(id))
  assert(result.exit_code == 0, result.error_msg)
  assert(ex:remove(id, nil, { purge = true }))
end

--- Wait until shims that have ended are also reaped, so that their time is counted.
local function settle()
  async.sleep(0.02)
end

local ECHO = { "echo", "hi" }

local function pairs_of(n)
  local own, bare, ratios, own_cpu, bare_cpu = {}, {}, {}, {}, {}
  local path = body(ECHO)
  for i = 1, n do
    local wall, cpu = numbers(floor_pipe("run", path, "bench-floor", "1"))
    settle()
    local used, from = processor(), loop.now()
    run(ECHO)
    own[i] = (loop.now() - from) * 1000
    settle()
    own_cpu[i], bare[i], bare_cpu[i] = processor() - used, wall, cpu
    ratios[i] = own[i] / wall
  end
  return { own = median(own), floor = median(bare), ratio = median(ratios),
    cpu = median(own_cpu), floor_cpu = median(bare_cpu) }
end

local function executions(name, n)
  local found = pairs_of(n)
  line(name .. ": processor time of one", "%.2f ms (floor %.2f)", found.cpu, found.floor_cpu)
  line(name .. ": wall time, p50 of " .. n .. " pairs",
    "%.1f ms (floor %.1f; %.3f of it, of pairs %.3f)", found.own, found.floor,
    found.own / found.floor, found.ratio)
end

local function output()
  local argv = { "sh", "-c", string.format("yes %s | head -c %d", LINE, MIB * 1048576) }
  local path, ratios, speeds, costs, floor_costs = body(argv), {}, {}, {}, {}
  for i = 1, OUTPUTS do
    local seconds, mib, cpu = numbers(floor_pipe("output", path, "bench-floor"))
    assert(mib == MIB, "the floor misses output")
    settle()
    local used, from = processor(), loop.now()
    local id = assert(ex:start(request(argv)))
    local result = assert(ex:wait(id))
    local took = loop.now() - from
    assert(result.evidence.stdout_bytes == MIB * 1048576, "output is missing")
    assert(ex:remove(id, nil, { purge = true }))
    settle()
    costs[i] = (processor() - used) / MIB * 1.024
    ratios[i], speeds[i], floor_costs[i] = seconds / took, MIB / took, cpu / MIB * 1024
  end
  line("output of " .. MIB .. " MiB in lines of 100 bytes", "%.0f MiB/s, %.2f of the floor",
    median(speeds), median(ratios))
  line("its processor time, with files", "%.2f s/GiB (floor %.2f, without)", median(costs),
    median(floor_costs))
end

--- The shims of this host: those that have an execution's folder open.
local function shims()
  return processes.shims(folder .. "/state")
end

--- Without pages of libraries: how many others have those mapped changes meanwhile.
local function host_memory()
  collectgarbage() collectgarbage()
  return memory("self", "\nPss_Anon")
end

local function descriptors()
  local count = 0
  local pipe = assert(io.popen("ls /proc/" .. read("/proc/self/stat"):match("^%d+") .. "/fd"))
  for _ in pipe:lines() do count = count + 1 end
  pipe:close()
  return count
end

local function followed()
  local before, fds = host_memory(), descriptors()
  local ids, streams, tasks = {}, {}, {}
  for i = 1, FOLLOWED do
    ids[i] = assert(ex:start(request { "sleep", "600" }))
    streams[i] = assert(ex:get_log_stream(ids[i], { follow = true }))
    tasks[i] = async.spawn(function() return ex:wait(ids[i]) end)
  end
  async.sleep(1.5) -- read buffers are given back after a second of silence
  local pss = 0
  for _, pid in ipairs(shims()) do pss = pss + memory(pid, "\nPss") end
  local host = host_memory() - before
  line("a container that runs and is followed: memory, PSS", "%.0f kB (shim %.0f, host %.0f)",
    (pss + host) / FOLLOWED, pss / FOLLOWED, host / FOLLOWED)
  line("its descriptors in the host, the reader's end among them", "%.1f",
    (descriptors() - fds) / FOLLOWED)
  for i, id in ipairs(ids) do
    assert(ex:cancel(id, { grace = 0 }))
    async.join(tasks[i])
    streams[i]:close()
    assert(ex:remove(id, nil, { purge = true }))
  end
end

--- Eight at once, against eight of the floor.
local function at_once()
  local each, path, pipes = 5, body(ECHO), {}
  local from = loop.now()
  for i = 1, AT_ONCE do pipes[i] = floor_pipe("run", path, "bench-floor-" .. i, each) end
  for i = 1, AT_ONCE do numbers(pipes[i]) end
  local bare = loop.now() - from
  settle()
  local used, jobs = processor(), {}
  from = loop.now()
  for i = 1, AT_ONCE do
    jobs[i] = function()
      for _ = 1, each do run(ECHO) end
    end
  end
  async.all(jobs)
  local own = loop.now() - from
  settle()
  line(AT_ONCE .. " at once", "%.1f a second, %.2f of the floor; processor time of one %.2f ms",
    AT_ONCE * each / own, bare / own, (processor() - used) / AT_ONCE / each)
end

--- From the engine's answer to /wait, which another process reads, to the result.
local function answers()
  local late = {}
  for i = 1, WAITS do
    local asked = request { "sleep", "0.5" }
    local id = assert(ex:start(asked))
    local pipe = floor_pipe("wait", asked.job_id)
    assert(ex:wait(id))
    local at = loop.now()
    late[i] = (at - numbers(pipe)) * 1000
    assert(ex:remove(id, nil, { purge = true }))
  end
  line("result after the engine's answer to /wait, p50 of " .. WAITS, "%.2f ms", median(late))
end

local function many()
  for _ = 1, 10 do run(ECHO) end
  local before, fds = host_memory(), descriptors()
  for _ = 1, MANY do run(ECHO) end
  line("after " .. MANY .. " that were run and removed", "%+d descriptors, %+.0f kB of memory",
    descriptors() - fds, host_memory() - before)
end

local function among_strangers()
  local api, ids = assert(client.open(socket)), {}
  for i = 1, STRANGERS do
    ids[i] = assert(api:call("POST", "/containers/create", { body = { Image = "bb:1",
      Cmd = { "true" } } })).Id
  end
  executions("beside " .. STRANGERS .. " strangers' containers", math.max(10, PAIRS / 4))
  assert(#assert(ex:list()) == 0)
  assert(ex:cleanup())
  for _, id in ipairs(ids) do
    assert(api:call("DELETE", "/containers/" .. id)) -- also says that it was left alone
  end
  api:close()
end

executions("a container", PAIRS)
at_once()
answers()
followed()
output()
many()
among_strangers()
ex:close()
