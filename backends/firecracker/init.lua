--- Backend `firecracker`: jobs in microVMs, one monitor each. exhost-relay stands between the
-- supervisor and the monitor and ends as the workload ended; exhost-init runs the job.

local async = require "exhost.async"
local cgroup = require "exhost.cgroup"
local conclude = require "backends.firecracker.conclude"
local drives = require "backends.firecracker.drives"
local files = require "backends.firecracker.files"
local groups = require "exhost.groups"
local host = require "backends.firecracker.host"
local jail = require "backends.firecracker.jail"
local jailer = require "backends.firecracker.jailer"
local live = require "backends.firecracker.live"
local loop = require "exhost.loop"
local machine = require "backends.firecracker.machine"
local network = require "backends.firecracker.network"
local outputs = require "backends.firecracker.outputs"
local own_settings = require "backends.firecracker.settings"
local params = require "backends.firecracker.params"
local system = require "exhost.system"
local uids = require "backends.firecracker.uids"
local volumes = require "backends.firecracker.volumes"

local FOLDER = machine.FOLDER
local OUTPUT_SECONDS = 600 -- gigabytes, on a slow disk
local LEAVE_SECONDS = 30

---@class exhost.FirecrackerBackend
local Firecracker = {}
Firecracker.__index = Firecracker

local function open(config)
  local settings = config.settings or {}
  local own, err, code = own_settings.check((settings.backends or {}).firecracker)
  if not own then return nil, err, code end
  return setmetatable({ name = "firecracker", settings = settings, own = own, versions = {},
    groups = cgroup.find(config.cgroup), prefix = (config.executor or "default") .. ".vm.",
    samples = {}, -- the last ones of `stats`, by execution
    state_dir = config.state_dir or "",
    root = string.format("%s/%s", config.state_dir or "", config.executor or "default"),
  }, Firecracker)
end

--- Whether there is a binary that answers. Suspends.
function Firecracker:health()
  local binary, err, code = host.binary(self.settings)
  if not binary then return nil, err, code end
  local version
  version, err, code = host.version(self.versions, binary)
  if not version then return nil, err, code end
  return true
end

--- Whether the files of a machine are there, and the kernel is one for that binary.
---@return true? ok, string? err, string? code
local function check_files(asked, version)
  for _, field in ipairs { "kernel_image", "initrd", "root_file_system" } do
    local head, err, code = true, nil, nil
    if asked[field] then head, err, code = host.read_head(field, asked[field]) end
    if head and field == "kernel_image" then
      head, err, code = host.check_kernel(head, asked[field], version)
    end
    if not head then return nil, err, code end
  end
  return true
end

--- What planning needs of the machine: the binary, its version, the files. Suspends.
function Firecracker:facts(request)
  local asked = request.engine_spec.params
  local binary, err, code = host.binary(self.settings)
  if not binary then return nil, err, code end
  local version
  version, err, code = host.version(self.versions, binary)
  if not version then return nil, err, code end
  local fits
  fits, err, code = host.check_params(asked, binary, version)
  if fits then fits, err, code = check_files(asked, version) end
  if not fits then return nil, err, code end
  local found, jailed
  found, err, code = volumes.facts(request)
  if found then jailed, err, code = jailer.facts(self.own, binary, self.state_dir) end
  if jailed and asked.network then
    local possible
    possible, err, code = network.facts(asked.network, self.own)
    if not possible then return nil, err, code end
  end
  if not jailed then return nil, err, code end
  -- Whole cores are kept by the machine itself.
  local cores = ((request.resources or {}).cpu or {}).cores or 0
  local fraction = cores % 1 ~= 0
  return { binary = binary, version = version.text, memory = host.memory(), volumes = found,
    jail = jailed,
    unenforced = fraction and cgroup.unenforced(self.groups, { cores = cores }) or nil }
end

function Firecracker:plan(request, facts)
  return machine.plan(request, facts, self.own)
end

--- The operator's limits: a guest has no devices or paths of the host but its images and inputs.
function Firecracker:check(body, ceiling)
  local size = body.config["machine-config"]
  if ceiling.memory and size.mem_size_mib * 1024 * 1024 > ceiling.memory then
    return nil, string.format("resources.ram.size: %.0f MiB are denied by ceiling.memory",
      size.mem_size_mib), "denied"
  end
  if ceiling.cores and size.vcpu_count > ceiling.cores then
    return nil, string.format("resources.cpu.cores: %d are denied by ceiling.cores",
      size.vcpu_count), "denied"
  end
  local ok, err, code = volumes.check_images(body, self.own.images)
  if not ok then return nil, err, code end
  return volumes.check(body.volumes, ceiling)
end

--- The folder of the machine. The handle is the name of its control group, else the folder's.
function Firecracker:create(execution)
  local ok, err, code = execution.dir:mkdir(FOLDER)
  if not ok and code ~= "EEXIST" then return nil, "make the machine's folder: " .. err, "io" end
  execution.record.jail_folder = execution.plan.jail and jail.folder_name(execution.plan)
  execution.record.tap = execution.plan.network and network.name() or nil
  if self.groups.version == 0 then return FOLDER end
  return groups.name(self.groups, self.prefix, execution)
end

--- What the supervisor is told: its child is the relay, and says itself when the job runs.
function Firecracker:source(execution)
  local body, items, token = execution.plan, {}, system.random_hex(16)
  local ok, err, code = true, nil, nil
  if body.jail then
    -- Not before the handle is on the disk: who rolls this back has to know that there is one.
    execution.record.jail_uid, err, code = uids.take(self.root, self.own, execution.id)
    ok = execution.record.jail_uid
  end
  if ok then ok, err, code = files.write(self, execution, token) end
  if not ok then return nil, err, code end
  local function add(key, value)
    if value ~= nil then items[#items + 1] = { key, value } end
  end
  if execution.handle ~= FOLDER then
    local paths
    paths, err, code = cgroup.make(self.groups, execution.handle, body.limits)
    if not paths then return nil, err, code end
    if #paths > 0 then add("cgroup_version", self.groups.version) end
    for _, path in ipairs(paths) do add("cgroup", path) end
  end
  add("execution", execution.id)
  local path = string.format("%s/executions/%s/%s", self.root, execution.id, FOLDER)
  local argv = jail.command(path, execution, body.argv and machine.REPORT_SOCKET or "-")
  for _, word in ipairs(argv) do add("argv", word) end
  add("env", "EXHOST_EXECUTION=" .. execution.id)
  add("env", "EXHOST_TOKEN=" .. token)
  add("reports", "1")
  add("cwd", path)
  if body.timeout then add("deadline", loop.boottime(body.timeout)) end
  add("stop_signal", body.stop_signal)
  add("grace_ms", (body.stop_grace or self.settings.stop_grace) * 1000)
  add("pipe_grace_ms", self.settings.pipe_grace * 1000)
  add("pipe_grace_max_ms", self.settings.pipe_grace_max * 1000)
  add("log_limit", self.settings.log_limit)
  return items
end

--- Whether nothing of the machine is left then. Suspends.
local function kill_all(self, execution)
  if (execution.handle or FOLDER) == FOLDER then return uids.settle(execution.record.jail_uid) end
  return groups.kill(groups.of(self.groups, execution), execution.handle)
end

--- End what a dead supervisor left: relay and monitor die with it, but for a moment.
function Firecracker:sweep(execution)
  groups.sweep(execution.id)
  kill_all(self, execution)
end

--- A user id is another machine's only when nothing of this one is alive.
---@return exhost.dir? images jail.settle
local function leave_jail(self, execution, dir)
  local uid = execution.record.jail_uid
  local gone = kill_all(self, execution)
  local images = jail.settle(dir, execution)
  if gone then
    uids.release(self.root, uid, execution.id)
  else
    execution.event("jail_uid_kept", { uid = uid, why = "processes of the machine outlive SIGKILL: "
      .. "remove gives the user id back once they are gone" })
  end
  return images
end

--- Evidence: the guest's word, and how its monitor ended. Suspends.
function Firecracker:conclude(execution, exit)
  self.samples[execution.id] = nil
  if not exit then async.shield(10, self.sweep, self, execution) end
  -- Or it is at `remove`.
  async.shield(LEAVE_SECONDS, network.remove, self.state_dir, execution.record.tap)
  local dir, images = execution.dir:open(FOLDER), nil
  if dir and execution.plan.jail then
    images = async.shield(LEAVE_SECONDS, leave_jail, self, execution, dir)
  end
  local report = dir and conclude.parse(dir:read("report", 65536))
  local evidence = conclude.evidence(report, dir,
    tonumber(exit and exit.stdout_bytes) or 0)
  if not report and not execution.plan.argv then
    evidence.code, evidence.signal = false, false -- the relay's own end
  end
  if dir then
    evidence.outputs = async.shield(OUTPUT_SECONDS, outputs.fetch, execution, images or dir)
    if images then images:close() end
    drives.drop_inputs(dir, execution.plan)
    dir:close()
  end
  return evidence
end

--- Control group, sockets, archive, configuration: all of it. Any number of times. Suspends.
function Firecracker:remove(handle, execution)
  if not handle then return true end
  if handle ~= FOLDER then
    local gone, why, kind = groups.remove(groups.of(self.groups, execution), handle)
    if not gone then return nil, "remove the machine's control group: " .. why, kind end
  elseif not uids.settle((execution.record or {}).jail_uid) then
    return nil, string.format("remove the machine: its user id %.0f still has processes",
      execution.record.jail_uid), "io"
  end
  local ok, err, code = network.remove(self.state_dir, (execution.record or {}).tap)
  if not ok then return nil, err, code end
  ok, err = jail.drop(execution)
  if not ok then return nil, "remove the machine's jail: " .. err, "io" end
  ok, err, code = execution.dir:remove_tree(FOLDER)
  if not ok and code ~= "ENOENT" then return nil, "remove the machine's folder: " .. err, "io" end
  if (execution.plan or {}).jail then
    uids.release(self.root, execution.record.jail_uid, execution.id)
  end
  return true
end

--- Machines are known from the state folder alone.
function Firecracker.list()
  return {}
end

return {
  name = "firecracker", params = params, environment = { "EXHOST_FIRECRACKER", "EXHOST_JAILER" },
  capabilities = { signal = true, exec = true, stats = true, pause = true, resume = true,
    net_info = true },
  open = open, health = Firecracker.health, facts = Firecracker.facts, plan = Firecracker.plan,
  check = Firecracker.check, create = Firecracker.create, source = Firecracker.source,
  conclude = Firecracker.conclude, remove = Firecracker.remove, list = Firecracker.list,
  signal = live.signal, exec = live.exec, stats = live.stats,
  pause = live.pause, resume = live.resume, net_info = live.net_info,
  describe_step = machine.describe_step, origins = require "backends.firecracker.origins",
}
