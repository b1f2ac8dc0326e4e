--- Figures of policies: a call with a real request and sixteen GPUs, the first call, memory,
--- reload.

local async = require "exhost.async"
local loop = require "exhost.loop"
local policy = require "exhost.policy"
local worker = require "exhost.policy.worker"
local figures = dofile "spec/bench/figures.lua"

local line, median = figures.line, figures.median

local LIMITS = { soft = 0.05, hard = 1 }
local CALLS, STARTS = 2000, 30

local gpus = {}
for i = 1, 16 do
  gpus[i] = { uuid = string.format("GPU-932bfb2c-849a-2a22-1e84-9eff6bc02b%02d", i),
    pci_address = string.format("0000:%02x:00.0", i), pci_vendor = 0x10de, policy = "nvidia",
    vendor = "NVIDIA", model = "NVIDIA A100-SXM4-80GB", vram = 80 * 1024 ^ 3, driver = "nvidia",
    numa_node = i % 2, nodes = { "/dev/dri/card" .. i, "/dev/dri/renderD" .. 127 + i } }
end

local host = { gpus = gpus, groups = { render = 105, video = 44 }, cdi = {} }
local request = { job_id = "train-17", execution_id = "train-17-1", gpus = { gpus[1], gpus[2] },
  resources = { cpu = { cores = 8 }, ram = { size = 64 * 1024 ^ 3 },
    gpus = { { uuid = gpus[1].uuid }, { uuid = gpus[2].uuid } } },
  engine_spec = { type = "docker", params = { image = "registry.example.com/team/train:1.2",
    cmd = { "python", "train.py", "--epochs", "3" }, environment = { "A=1", "B=2" } } } }

local function processes()
  local pipe = io.popen("pgrep -P $PPID exhost-policy")
  local pids = {}
  for pid in pipe:lines() do pids[#pids + 1] = pid end
  pipe:close()
  return pids
end

async.join(async.spawn(function()
  local found = assert(policy.read(policy.paths().nvidia))
  local firsts = {}
  for i = 1, STARTS do
    local one = worker.new(found, LIMITS)
    local from = loop.now()
    assert(one:call(request, host))
    firsts[i] = (loop.now() - from) * 1000
    one:close()
  end
  line("policy: the first call, with its process", "%.1f ms", median(firsts))
  local one, times = worker.new(found, LIMITS), {}
  assert(one:load())
  for i = 1, CALLS do
    local from = loop.now()
    assert(one:call(request, host))
    times[i] = (loop.now() - from) * 1e6
  end
  line("policy: a call with 16 GPUs, p50", "%.0f us (an exchange with cat: %.0f)", median(times),
    figures.exchange(CALLS, 900))
  one:close()
  local policies = policy.new({ policy_soft = 0.05, policy_hard = 1 })
  policies:list()
  local private, pids = 0, processes()
  for _, pid in ipairs(pids) do private = private + figures.memory(pid, "Private_%a+") end
  line("policy: private memory of one of " .. #pids .. " processes", "%.0f kB", private / #pids)
  local old = policies.workers.nvidia.policy
  local reloads = {}
  for i = 1, STARTS do
    policies.workers.nvidia.policy = { name = old.name, path = old.path, modules = old.modules,
      source = old.source .. "\n" }
    local from = loop.now()
    assert(#policies:reload() == 1)
    reloads[i] = (loop.now() - from) * 1000
  end
  line("policy: reload of one that changed", "%.1f ms", median(reloads))
  policies:close()
end))
