--- Figures of the spine, each beside its baseline from the same run. Run by ./dev bench.
--
-- The machine may be shared and noisy: rounds alternate between exhost and the baseline,
-- and the medians of the rounds are printed with their ratio or difference.

local executor = require "exhost.executor"
local loop = require "exhost.loop"
local figures = dofile "spec/bench/figures.lua"

local line, median = figures.line, figures.median

-- State is measured on the disk of the build folder and in memory: ext4 makes a new file
-- slow (0.5 ms) for minutes after many were deleted nearby, which is not ours to show.

local baseline, folder, program, memory = ...
local ROUNDS, PER_ROUND = 8, 40
local MIB = 1024 * 1024

local function shell(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

local function open(path)
  return assert(executor.open { state_dir = path .. "/state" })
end

local ex

local function request(argv, more)
  local asked = { engine_spec = { type = "process", params = { cmd = argv } } }
  for key, value in pairs(more or {}) do asked[key] = value end
  return asked
end

local function start_figures(name, more)
  local bare, starts, results = {}, {}, {}
  for _ = 1, ROUNDS do
    bare[#bare + 1] = tonumber(shell(baseline .. " spawn 60"):match("^[%d.]+")) / 1000
    for _ = 1, PER_ROUND do
      local t0 = loop.now()
      local id = assert(ex:start(request({ "/bin/true" }, more)))
      local t1 = loop.now()
      assert(ex:wait(id))
      starts[#starts + 1], results[#results + 1] = (t1 - t0) * 1000, (loop.now() - t0) * 1000
    end
  end
  local floor = median(bare)
  line(name .. ": bare vfork + exec + wait, p50", "%.2f ms", floor)
  line(name .. ": start answers", "%.2f ms (bare + %.2f)", median(starts), median(starts) - floor)
  local result = median(results)
  line(name .. ": start to result", "%.2f ms (bare + %.2f)", result, result - floor)
end

local function command_figure()
  local own, bare = {}, {}
  for _ = 1, ROUNDS do
    local command = string.format("%s exec 15 %s --state-dir %s/cli run -- /bin/true", baseline,
      program, folder)
    own[#own + 1] = tonumber(shell(command):match("^[%d.]+")) / 1000
    bare[#bare + 1] = tonumber(shell(baseline .. " spawn 15"):match("^[%d.]+")) / 1000
  end
  line("exhost run -- true, a whole process, p50", "%.2f ms (%.1f times bare)", median(own),
    median(own) / median(bare))
end

local function throughput(size, total)
  local ratios, speeds = {}, {}
  for _ = 1, ROUNDS do
    local cat = tonumber(shell(string.format("%s pipe %s/cat.out %s write %d %d", baseline, folder,
      baseline, size, total)))
    local t0 = loop.now()
    local id = assert(ex:start(request { baseline, "write", tostring(size), tostring(total) }))
    assert(ex:wait(id).reason == "exited")
    local took = (loop.now() - t0) * 1000
    ex:remove(id, nil, { purge = true })
    ratios[#ratios + 1], speeds[#speeds + 1] = cat / took, total / MIB / took * 1000
  end
  line(string.format("output in %d-byte writes", size), "%.0f MiB/s, %.2f of cat > file",
    median(speeds), median(ratios))
end

local function follow_latency()
  local id = assert(ex:start(request { baseline, "stamp", "200", "10" }))
  local command = string.format("%s --state-dir %s/state logs -f %s | %s latency", program, folder,
    id, baseline)
  local p50, p90 = shell(command):match("([%d.]+) ([%d.]+)")
  line("follow latency", "p50 %.2f ms, p90 %.2f ms", tonumber(p50) / 1000, tonumber(p90) / 1000)
  assert(ex:wait(id))
end

local LIMITS = { resources = { cpu = { cores = 1 }, ram = { size = 64 * MIB } } }
--- As on a machine where no control group may be used.
local function without_groups(fn)
  local backend = assert(ex:backend("process"))
  local groups = backend.groups
  backend.groups = { version = 0, parents = {} }
  fn()
  backend.groups = groups
end

for _, place in ipairs { { memory, "state in memory" }, { folder, "state on disk" } } do
  if ex then ex:close() end
  ex = open(place[1])
  without_groups(function() start_figures(place[2] .. ", no control group", nil) end)
  start_figures(place[2], nil)
  start_figures(place[2] .. ", cpu and memory limits", LIMITS)
end
command_figure()
throughput(100, 32 * MIB)
throughput(65536, 256 * MIB)
follow_latency()
ex:close()
