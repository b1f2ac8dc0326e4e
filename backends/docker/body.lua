--- The body of POST /containers/create: pure, from a request and what was read before.
-- Field names and units: Docker Engine API 1.41, ContainerCreate.

local json = require "exhost.json"
local mounts = require "backends.docker.mounts"
local provision = require "backends.docker.provision"
local reference = require "backends.docker.reference"
local signals = require "exhost.signals"

local body = {}

local PIDS = 4096
local LOG_CONFIG = { Type = "json-file", Config = { ["max-size"] = "10m", ["max-file"] = "2" } }
-- What few jobs need and escapes have used; the rest of Docker's own set stays.
local DROPPED = { "MKNOD", "NET_RAW", "SETFCAP" }
local ON_FAILURE_RETRIES = 3
local NANO = 1000000000

local function list(items)
  return items and #items > 0 and json.array(items) or nil
end

local function ports(asked)
  if not asked.ports_to_bind or #asked.ports_to_bind == 0 then return nil, nil end
  local exposed, bindings = {}, {}
  for _, port in ipairs(asked.ports_to_bind) do
    local key = string.format("%d/%s", port.executor_port, port.protocol or "tcp")
    exposed[key] = {} -- an empty table is an object
    bindings[key] = bindings[key] or json.array {}
    table.insert(bindings[key], { HostIp = port.ip or "",
      HostPort = port.host_port and port.host_port > 0 and tostring(port.host_port) or "" })
  end
  return exposed, bindings
end

local function dns(host, asked)
  if not asked.gateway_ip then return end
  host.Dns = json.array { asked.gateway_ip, "1.1.1.1" }
  host.DnsSearch = json.array { "internal" }
  host.DnsOptions = json.array { "ndots:1", "timeout:2", "attempts:1" }
end

local function limits(host, asked, unenforced, has_quotas)
  local resources = asked.resources or {}
  local ram, cpu, disk = resources.ram, resources.cpu, resources.disk
  if ram and (ram.size or 0) >= 6 * 1024 * 1024 then
    host.Memory, host.MemorySwap = ram.size, ram.size -- no swap beside it
  end
  if cpu and (cpu.cores or 0) > 0 then
    host.NanoCpus = math.max(body.nano_cpus(cpu.cores), NANO / 100)
  end
  host.PidsLimit = asked.engine_spec.params.pids or PIDS
  if disk and (disk.size or 0) > 0 and has_quotas then
    host.StorageOpt = { size = string.format("%.0f", disk.size) }
  elseif disk and (disk.size or 0) > 0 then
    unenforced[#unenforced + 1] = "disk limit (needs a storage driver with project quotas, and "
      .. "backends.docker.disk_limits = true)"
  end
end

local function security(host, params)
  if params.privileged then
    host.Privileged = true
    return
  end
  host.SecurityOpt = json.array { "no-new-privileges" }
  host.CapDrop = json.array { unpack(DROPPED) }
end

local function restart(params)
  local name = params.restart_policy
  if not name or name == "no" then return nil end
  return { Name = name, MaximumRetryCount = name == "on-failure" and ON_FAILURE_RETRIES or nil }
end

--- Whether an engine may start the container of such a body again by itself.
---@param create table as it is sent, or as an engine tells of it
---@return boolean
function body.restarts(create)
  local policy = create.HostConfig.RestartPolicy
  return policy ~= nil and policy.Name ~= nil and policy.Name ~= "" and policy.Name ~= "no"
end

local function host_config(asked, labels, unenforced, has_quotas)
  local params, host = asked.engine_spec.params, {}
  limits(host, asked, unenforced, has_quotas)
  security(host, params)
  dns(host, asked)
  host.LogConfig = LOG_CONFIG
  host.Mounts = mounts.make(asked, labels)
  local _, bindings = ports(asked)
  host.PortBindings = bindings
  host.RestartPolicy = restart(params)
  host.NetworkMode = params.network
  host.Init = params.init
  return host
end

--- DMS's labels, so that its tools see the job, and ours, which tell them apart.
function body.labels(asked, executor)
  return {
    ["nunet-executor"] = executor, ["nunet-jobID"] = asked.job_id,
    ["nunet-executionID"] = asked.execution_id,
    ["exhost.executor"] = executor, ["exhost.job"] = asked.job_id,
    ["exhost.execution"] = asked.execution_id,
  }
end

--- The command, behind its scripts: the image's own where the request has none.
---@param image table its Config
function body.set_command(create, asked, image)
  local params = asked.engine_spec.params
  create.Entrypoint, create.Cmd = list(params.entrypoint), list(params.cmd)
  if asked.provision_scripts and next(asked.provision_scripts) then
    provision.wrap(create, image)
  end
end

--- Cores as the engine counts them.
function body.nano_cpus(cores)
  return math.floor(cores * NANO + 0.5)
end

--- The exact thing that is sent. With scripts the image's own command is needed: `image`
--- is its Config, nil when it is not here yet.
---@param settings { disk_limits: boolean? }? of the backend
---@return table body
function body.make(asked, executor, image, settings)
  local params, unenforced = asked.engine_spec.params, json.array {}
  local labels = body.labels(asked, executor)
  local exposed = ports(asked)
  local create = {
    Image = reference.text(reference.parse(params.image)), Labels = labels,
    Env = list(params.environment),
    WorkingDir = params.working_directory, User = params.user, Tty = params.tty or false,
    ExposedPorts = exposed,
    HostConfig = host_config(asked, labels, unenforced, settings and settings.disk_limits),
    StopSignal = asked.stop_signal and signals.name(asked.stop_signal) or nil,
  }
  body.set_command(create, asked, image or {})
  return { create = create, name = asked.job_id, unenforced = unenforced,
    scripts = provision.names(asked.provision_scripts), timeout = asked.timeout }
end

return body
