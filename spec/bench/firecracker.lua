--- Figures of microVMs, the first of them beside the bare binary with the same configuration, in
-- the same run.
--
--   exhost lua spec/bench/firecracker.lua BASELINE FOLDER [PAIRS [MANY]]
--
-- EXHOST_FIRECRACKER names a real binary for what needs one, with /dev/kvm; the rest is measured
-- on the stand-in, which needs root.

local async = require "exhost.async"
local executor = require "exhost.executor"
local figures = dofile "spec/bench/figures.lua"
local json = require "exhost.json"
local loop = require "exhost.loop"
local system = require "exhost.system"
package.path = "./?.lua;./spec/?.lua;" .. package.path
local guest_image = require "support.guest_image"
local in_namespaces = require "support.in_namespaces"
local processes = require "crash.processes"

local line, median = figures.line, figures.median

local baseline, folder = arg[1], arg[2]
local PAIRS, MANY = tonumber(arg[3] or 30), tonumber(arg[4] or 100)
local SHIMS, STOPS = 5, 20
local PAUSE = 0.0002

local BINARY = os.getenv "EXHOST_FIRECRACKER"
local STAND_IN = system.real_path "spec/support/fake_firecracker"

local function sh(command, ...)
  assert(os.execute(command:format(...)) == 0, command)
end

local function sh_output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

local function write(name, data)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  file:write(data)
  file:close()
  return folder .. "/" .. name
end

local function open(binary, state)
  return assert(executor.open { id = "bench", state_dir = folder .. "/" .. state,
    backend = "firecracker", settings = { backends = { firecracker = { binary = binary,
      jailer = "", images = { folder } } } } })
end

local next_id = 0

local function request(params)
  next_id = next_id + 1
  local id = "bench-" .. next_id
  return { job_id = id, execution_id = id, stop_grace = 5,
    engine_spec = { type = "firecracker", params = params } }
end

--- A guest of a few instructions: it writes a line and halts.
local function tiny_guest()
  local kernel = folder .. "/tiny"
  sh("cd %s && gcc -x assembler-with-cpp -DHALT -c %s/spec/support/tiny_guest.S -o t.o && "
    .. "ld -N -Ttext=0x1000000 --build-id=none t.o -o %s 2>/dev/null", folder,
    system.real_path ".", kernel)
  return { kernel_image = kernel, initrd = write("none", "\0") }
end

--- Seconds from the start of one to the first byte of its console.
local function first_byte(ex, params)
  local asked = request(params)
  local from = loop.now()
  local id = assert(ex:start(asked))
  local stream = assert(ex:get_log_stream(id, { follow = true }))
  while not system.read_some(stream.fd) do async.sleep(PAUSE) end
  local took = loop.now() - from
  stream:close()
  assert(ex:cancel(id, { grace = 0 }))
  assert(ex:remove(id, 5, { purge = true }))
  return took
end

local function bare_byte(config)
  local pipe = assert(io.popen(string.format("cd %s && : >vmm.log && %s first %s --no-api "
    .. "--config-file %s --log-path vmm.log --level Error", folder, baseline, BINARY, config)))
  local micro = tonumber((pipe:read "*l"))
  pipe:close()
  return micro / 1e6
end

local function real_figures()
  local ex, params = open(BINARY, "real"), tiny_guest()
  local config = write("config.json", json.encode(assert(ex:plan(request(params))).body.config))
  local own, bare, more = {}, {}, {}
  for i = 1, PAIRS do
    bare[i] = bare_byte(config) * 1000
    own[i] = first_byte(ex, params) * 1000
    more[i] = own[i] - bare[i]
  end
  line("a microVM: start to first serial byte, p50 of " .. PAIRS .. " pairs",
    "%.1f ms (bare %.1f; of pairs + %.1f, at most 5)", median(own), median(bare), median(more))
  local ids = {}
  for i = 1, SHIMS do ids[i] = assert(ex:start(request(params))) end
  line("its shims", "%.1f (at most 1)", #processes.shims(folder .. "/real") / SHIMS)
  for _, id in ipairs(ids) do assert(ex:cancel(id, { grace = 0 })) end
  assert(ex:cleanup())
  ex:close()
end

--- A guest that heeds its signal.
local function stop_figure(ex, params)
  local took = {}
  for i = 1, STOPS do
    local id = assert(ex:start(request(params)))
    local from = loop.now()
    assert(ex:cancel(id))
    assert(ex:wait(id).reason == "cancelled")
    took[i] = (loop.now() - from) * 1000
    assert(ex:remove(id, 5, { purge = true }))
  end
  line("stop of a guest that cooperates (stand-in), p50 of " .. STOPS, "%.0f ms (under 200)",
    median(took))
end

--- Relays and monitors whose host and supervisor are gone, with all that they left.
local function cleanup_figure(name, ex, params, kill)
  for _ = 1, MANY do
    local id = assert(ex:start(request(params)))
    if not kill then assert(ex:wait(id)) end
  end
  if kill then
    processes.kill(processes.shims(folder .. "/fake"))
    async.sleep(1) -- the rest dies with them, and not in our time
  end
  local from = loop.now()
  assert(ex:cleanup())
  local took = loop.now() - from
  local left = " | grep -c bench- || true"
  assert(sh_output("ls -d " .. folder .. "/fake/bench/executions/*/vm 2>/dev/null" .. left) == "0")
  assert(#processes.cgroups ".vm.bench-" == 0, "control groups are left")
  line(string.format("cleanup of %d %s (stand-in)", MANY, name), "%.2f s (under 1)", took)
end

local function fake_figures()
  local ex = open(STAND_IN, "fake")
  local runs = { kernel_image = write("kernel", guest_image.kernel()),
    initrd = write("initrd", guest_image.initrd()), cmd = { "sleep", "600" } }
  stop_figure(ex, runs)
  local ends = { kernel_image = write("ends", guest_image.kernel "panic"), initrd = runs.initrd }
  cleanup_figure("machines that ended", ex, ends, false)
  local hangs = { kernel_image = write("hangs", guest_image.kernel "hang"), initrd = runs.initrd }
  cleanup_figure("machines whose supervisors were killed", ex, hangs, true)
  ex:close()
end

sh("mkdir -p %s", folder)
if BINARY and io.open("/dev/kvm", "r+b") then
  real_figures()
else
  print "a microVM beside the bare binary: skipped, no EXHOST_FIRECRACKER or no /dev/kvm"
end
if in_namespaces.possible() then
  fake_figures()
else
  print "microVMs on the stand-in: skipped, they need root, namespaces and busybox"
end
