--- Backend `process`: jobs as plain child processes of their shims. No daemon, no root, no
-- configuration. It isolates nothing but what limits and a user give, and says so.

local async = require "exhost.async"
local ceiling = require "backends.process.ceiling"
local cgroup = require "exhost.cgroup"
local execs = require "exhost.execs"
local find_user = require "backends.process.user"
local fs = require "exhost.fs"
local groups = require "exhost.groups"
local json = require "exhost.json"
local params = require "backends.process.params"
local shim = require "exhost.shim"
local spec = require "backends.process.spec"
local system = require "exhost.system"

local FREEZE_AGAIN = 50 -- looks, 2 ms apart
local MIN_MEMORY = 6 * 1024 * 1024
local PAUSE_SECONDS = 10

---@class exhost.ProcessBackend
local Process = {}
Process.__index = Process

local function open(config)
  return setmetatable({
    name = "process", settings = config.settings,
    groups = cgroup.find(config.cgroup),
    prefix = (config.executor or "default") .. ".",
    samples = {}, -- the last ones of `stats`, by execution
  }, Process)
end

--- What planning needs from the machine: the user's numbers and home.
function Process:facts(request)
  local uid, gid = system.ids()
  local facts = { uid = uid, gid = gid }
  local asked = request.engine_spec.params.user
  local user, err, code = not asked and system.own_user() or nil, nil, nil
  if not user then user, err, code = find_user(asked or tostring(uid)) end
  if not user then
    if code == "timeout" or code == "cancelled" then return nil, err, code end
    local what = code == "ESRCH" and "no such group" or "no such user"
    return nil, string.format("engine_spec.params.user: %s: %q", what, asked or uid), "invalid"
  end
  if asked and uid ~= 0 and (user.uid ~= uid or user.gid ~= gid) then
    return nil, string.format(
      "engine_spec.params.user: to become %q exhost must run as root", asked), "denied"
  end
  facts.user = user
  return facts
end

local UNSUPPORTED = {
  inputs = "Inputs (volumes)", outputs = "Outputs (volumes)", keys = "Keys",
  ports_to_bind = "PortsToBind",
}

--- Requests for what a plain process cannot have are refused, not ignored.
local function unsupported(request)
  for _, field in ipairs { "inputs", "outputs", "keys", "ports_to_bind" } do
    if request[field] and #request[field] > 0 then
      return string.format("%s: %s not supported by the process executor", field,
        UNSUPPORTED[field])
    end
  end
  local gpus = request.resources and request.resources.gpus
  if gpus and #gpus > 0 then
    return "resources.gpus: GPUs are not supported by the process executor"
  end
end

--- The limits that control groups are to keep.
function Process:limits(request)
  local resources, limits = request.resources or {}, {}
  local ram, cpu = resources.ram, resources.cpu
  if ram and ram.size and ram.size >= MIN_MEMORY then limits.memory = ram.size end
  if cpu and cpu.cores and cpu.cores > 0 then limits.cores = cpu.cores end
  limits.pids = request.engine_spec.params.pids
  return limits
end

--- The exact thing that will be run.
function Process:plan(request, facts)
  local why = unsupported(request)
  if why then return nil, why, "unsupported" end
  local limits = self:limits(request)
  local body = spec.body(request, facts, limits)
  body.unenforced = json.array(cgroup.unenforced(self.groups, limits))
  if request.resources and request.resources.disk and (request.resources.disk.size or 0) > 0 then
    body.unenforced[#body.unenforced + 1] = "disk limit (a process has no disk of its own)"
  end
  if request.gateway_ip then
    body.warnings = json.array {
      "gateway_ip: not used: a process asks the host's own name servers" }
  end
  return body
end

--- Against the operator's limits. Suspends.
function Process:check(body, allowed)
  return ceiling(body, allowed)
end

--- The name of the control group is the handle: it outlives every host.
function Process:create(execution)
  if self.groups.version == 0 then return "none" end
  return groups.name(self.groups, self.prefix, execution)
end

--- What the shim is told; makes the control groups.
function Process:source(execution)
  local paths = {}
  if execution.handle ~= "none" then
    local err, code
    paths, err, code = cgroup.make(self.groups, execution.handle, execution.plan.limits)
    if not paths then return nil, err, code end
  end
  return spec.items(execution, self.groups.version, paths, self.settings)
end

--- Where an execution's groups are.
function Process:groups_of(execution)
  return groups.of(self.groups, execution)
end

--- Evidence beside the shim's; when the shim is gone, end what it left.
function Process:conclude(execution, exit)
  local evidence = {}
  self.samples[execution.id] = nil
  if exit then return evidence end
  async.shield(10, function()
    if execution.handle and execution.handle ~= "none" then
      groups.remove(self:groups_of(execution), execution.handle)
      evidence.swept = "control group"
    else
      evidence.swept = "environment of processes (best effort: no control group)"
      evidence.processes_killed = groups.sweep(execution.id)
    end
  end)
  return evidence
end

--- Kill what is left of it and remove its control groups. Idempotent. Suspends.
function Process:remove(handle, execution)
  if handle == "none" then return true end
  return groups.remove(self:groups_of(execution), handle)
end

--- A job without a control group is paused by SIGSTOP to its process group.
local function is_stopped(self, execution)
  if execution.handle ~= "none" then
    return cgroup.frozen(self:groups_of(execution), execution.handle)
  end
  local text = fs.read("/proc/" .. execution.record.pid .. "/stat") or ""
  return text:match("^.*%) (%a)") == "T"
end

--- Tell the shim, then wait until it is so. Suspends.
local function control_and_see(self, execution, line, wanted)
  local ok, err, code = shim.control(execution.dir, line)
  if not ok then return nil, err, code end
  return async.with_deadline(PAUSE_SECONDS, function()
    local tries = 0
    while is_stopped(self, execution) ~= wanted do
      tries = tries + 1
      if wanted and tries % FREEZE_AGAIN == 0 then
        -- Version 1's freezer stays half-way when it meets a fork: begin again.
        shim.control(execution.dir, "resume")
        shim.control(execution.dir, line)
      end
      local slept, word = async.sleep(0.002)
      if not slept then
        return nil, string.format("%s: %s after %d s", line, word, PAUSE_SECONDS), word
      end
    end
    return true
  end)
end

--- Freeze all of it; answers when it stands still. Suspends.
function Process:pause(execution)
  return control_and_see(self, execution, "pause", true)
end

--- Let it go on. Suspends.
function Process:resume(execution)
  return control_and_see(self, execution, "resume", false)
end

--- To the main process alone; `stop` is for all of them.
function Process.signal(_, execution, number)
  return shim.control(execution.dir, "signal " .. number)
end

-- These two are loaded when they are asked for: a command that starts a job pays for neither.
function Process.exec(_, execution, argv, options)
  return execs.run({ dir = execution.dir, fifo = "control" }, argv, options, execution.settings)
end

function Process:stats(execution)
  return require("backends.process.stats")(self, execution)
end

function Process:update(execution, limits)
  if execution.handle == "none" then
    return nil, "there is no control group that we may use", "unsupported"
  end
  if limits.memory and limits.memory < MIN_MEMORY then
    return nil, string.format("memory: below %d bytes a limit is not enforced", MIN_MEMORY),
      "invalid"
  end
  return cgroup.update(self:groups_of(execution), execution.handle, limits)
end

--- Processes are known from the state folder alone.
function Process:list()
  return {}
end

--- What a shim's step was about, for messages.
local function describe_step(body, step)
  if step == "exec" then return body.argv[1] end
  if step == "script" then return (body.scripts or {})[1] or "" end -- a later one has its result
  if step == "cwd" then return body.working_directory end
  if step == "user" then return string.format("%d:%d", body.uid or -1, body.gid or -1) end
  return ""
end

Process.describe_step = describe_step

return {
  name = "process", inherits_limits = true,
  capabilities = { pause = true, resume = true, signal = true, exec = true, stats = true,
    update = true },
  params = params,
  open = open, facts = Process.facts, plan = Process.plan, check = Process.check,
  create = Process.create, source = Process.source, conclude = Process.conclude,
  remove = Process.remove, list = Process.list, describe_step = describe_step,
  pause = Process.pause, resume = Process.resume, signal = Process.signal, exec = Process.exec,
  stats = Process.stats, update = Process.update, origins = require "backends.process.origins",
}
