--- Backend `docker`: jobs as containers of a Docker engine, or of what speaks its API.

local adoptable = require "backends.docker.adoptable"
local async = require "exhost.async"
local body = require "backends.docker.body"
local client = require "backends.docker.client"
local conclude = require "backends.docker.conclude"
local containers = require "backends.docker.containers"
local decide = require "backends.docker.decide"
local exec = require "backends.docker.exec"
local image = require "backends.docker.image"
local json = require "exhost.json"
local loop = require "exhost.loop"
local mounts = require "backends.docker.mounts"
local network = require "backends.docker.network"
local params = require "backends.docker.params"
local provision = require "backends.docker.provision"
local reference = require "backends.docker.reference"
local docker_settings = require "backends.docker.settings"
local signals = require "exhost.signals"
local stats = require "backends.docker.stats"
local warnings = require "backends.docker.warnings"

---@class exhost.DockerBackend
---@field api exhost.DockerClient
local Docker = {}
Docker.__index = Docker

local function open(config)
  local settings = config.settings or {}
  local own, err, code = docker_settings.check((settings.backends or {}).docker)
  if not own then return nil, err, code end
  local api
  api, err, code = client.open(own.host)
  if not api then return nil, err, code end
  return setmetatable({ name = "docker", settings = settings, own = own, api = api,
    samples = {}, -- the last ones of `stats`, by execution
    executor = config.executor or "default" }, Docker)
end

--- Whether the engine answers. Suspends.
function Docker:health()
  local answer, err, code, data = self.api:call("GET", "/version")
  if not answer then return nil, err, code, data end
  return true
end

--- What planning reads: the image, if it is here. GET only. To start a job that names its
--- command the engine is not asked: that it has no such image it says when it is to use it.
function Docker:facts(request, starting)
  if starting and not next(request.provision_scripts or {}) then return { unasked = true } end
  local name = reference.text(assert(reference.parse(request.engine_spec.params.image)))
  local found, err, code, data = image.inspect(self.api, name)
  if found then return { image = found.Config or {}, id = found.Id } end
  if code == "not_found" then return {} end
  return nil, err, code, data
end

function Docker:plan(request, facts)
  local ok, err, code = mounts.check(request)
  if ok then ok, err, code = provision.check(request) end
  if not ok then return nil, err, code end
  local made = body.make(request, self.executor, facts.image, self.own)
  made.image_id, made.image_unasked = facts.id, facts.unasked
  made.warnings = json.array {}
  if not facts.image and not facts.unasked then
    made.warnings[1] = "the image is not here: " .. (self.settings.image_pull == "never"
      and "and pull is off" or "start pulls it")
  end
  return made
end

--- Have the image, as the setting says. Suspends.
local function ensure_image(self, execution)
  local asked, made = execution.request, execution.plan
  local found, err, code, data = image.ensure(self.api, asked.engine_spec.params,
    self.settings.image_pull or "missing", { settings = self.own,
      cancelled = execution.cancelled,
      report = function(fields) execution.event("pull", fields) end })
  if not found then return nil, err, code, data end
  execution.record.image = found.Id
  -- Not the one that was planned with: only its command is new. What the policies and the
  -- ceiling have seen stays.
  if found.Id ~= made.image_id then body.set_command(made.create, asked, found.Config or {}) end
  return true
end

--- Have the image; the handle is the container's name, known before there is one.
function Docker:create(execution)
  local made = execution.plan
  local is_planned = (made.image_id or made.image_unasked) and self.settings.image_pull ~= "always"
    and not execution.request.engine_spec.params.platform
  if is_planned then
    execution.record.image = made.image_id
    return made.name
  end
  local ok, err, code, data = ensure_image(self, execution)
  if not ok then return nil, err, code, data end
  return made.name
end

--- Create the container; once more when it turns out that the image is not, or no more, here.
local function create_container(self, execution)
  local made, err, code, data = containers.create(self, execution)
  local is_gone = not made and data and data.status == 404
    and err:lower():find("no such image", 1, true)
  if not is_gone then return made, err, code, data end
  local ok
  ok, err, code, data = ensure_image(self, execution)
  if not ok then return nil, err, code, data end
  return containers.create(self, execution)
end

--- container: its body, or what the engine says of it, which has the same HostConfig.
local function shim_items(self, execution, id, container, more)
  local settings, made, items = self.settings, execution.plan, {}
  local function add(key, value)
    if value ~= nil then items[#items + 1] = { key, value } end
  end
  add("execution", execution.id)
  add("engine", self.api.engine)
  add("container", id)
  add("api", self.api.version)
  add("tty", made.create.Tty and 1 or 0)
  add("once", body.restarts(container) and 0 or 1)
  add("log_limit", settings.log_limit)
  if made.timeout and not more then add("deadline", loop.boottime(made.timeout)) end
  add("stop_signal", 0)
  add("grace_ms", (execution.record.stop_grace or settings.stop_grace) * 1000)
  add("pipe_grace_ms", settings.pipe_grace * 1000)
  add("pipe_grace_max_ms", settings.pipe_grace_max * 1000)
  for _, item in ipairs(more or {}) do add(item[1], item[2]) end
  return items
end

--- Create the container, fill it, and tell the shim of it.
function Docker:source(execution)
  local made, err, code, data = create_container(self, execution)
  if not made then
    -- Nobody has heard of it, so there is nothing to remove.
    if data and data.refused then execution.record.handle = nil end
    return nil, err, code, data
  end
  execution.record.container = made.Id -- on disk before it is started
  local ok
  ok, err, code = warnings(execution, made.Warnings)
  if not ok then return nil, err, code end
  ok, err, code, data = provision.copy(self.api, made.Id, execution)
  if not ok then return nil, err, code, data end
  return shim_items(self, execution, made.Id, execution.plan.create)
end

--- What a shim needs to go on with a container whose shim died; nil when it is gone.
function Docker:reattach(execution, had)
  local record, err, code, data = containers.inspect(self, execution)
  if not record then return nil, err, code, data end
  if record.State.Status == "created" then return nil, "it was never started", "never_ran" end
  return shim_items(self, execution, record.Id, record, { { "reattach", 1 },
    { "skip_stdout", had.stdout }, { "skip_stderr", had.stderr } })
end

--- Exit statuses of the command for what an engine says of a program.
local function explain_start(text, data)
  if text:find("device information", 1, true) then return data end -- no program is missing
  if text:find("no such file or directory", 1, true)
    or text:find("not found in $PATH", 1, true) then
    data.step, data.name = "exec", "ENOENT"
  elseif text:find("permission denied", 1, true) then
    data.step, data.name = "exec", "EACCES"
  end
  return data
end

--- The engine's start, once the shim listens. Where the answer is lost the container is
--- asked: one that runs or has run was started.
function Docker:start(execution)
  local ok, err, code, data = self.api:call("POST", containers.path(execution) .. "/start",
    { story = execution.event })
  if ok then return true end
  if data and data.status and not data.cut then
    return nil, "start container: " .. err, code == "not_found" and "engine" or code,
      explain_start(err, data)
  end
  local record = async.shield(10, containers.inspect, self, execution)
  if record and record.State and record.State.Status ~= "created" then return true end
  return nil, "start container: " .. err, code, data
end

--- Some engines (podman) make the command ready when they are attached to.
function Docker.describe_step(made)
  local words = made.create.Entrypoint or made.create.Cmd or {}
  return string.format("container %s (%s)", made.name, words[1] or "the image's command")
end

function Docker:conclude(execution, exit)
  return conclude(self, execution, exit)
end

local function post(self, execution, action, query)
  local ok, err, code, data = self.api:call("POST",
    containers.path(execution) .. "/" .. action, { query = query, story = execution.event })
  if ok then return true end
  return nil, err, code, data
end

function Docker:pause(execution) return post(self, execution, "pause") end
function Docker:resume(execution) return post(self, execution, "unpause") end

function Docker:signal(execution, number)
  return post(self, execution, "kill", { signal = signals.name(number) or tostring(number) })
end

function Docker:exec(execution, argv, options)
  return exec(self.api, execution, argv, options, self.settings.output_limit)
end

function Docker:stats(execution)
  return stats(self, execution)
end

function Docker:update(execution, limits)
  local ok, err, code, data = self.api:call("POST", containers.path(execution) .. "/update",
    { story = execution.event, body = { Memory = limits.memory, MemorySwap = limits.memory,
      PidsLimit = limits.pids,
      NanoCpus = limits.cores and body.nano_cpus(limits.cores) } })
  if ok then return true end
  if data and data.status == 404 and not err:lower():find("container", 1, true) then -- podman 4.3
    return nil, "this engine has no call for it: " .. err, "unsupported"
  end
  return nil, err, code, data
end

function Docker:info(execution)
  local record = containers.inspect(self, execution)
  return record and { container_id = record.Id, image = record.Config and record.Config.Image,
    net = network(record) } or {}
end

function Docker:net_info(execution)
  local record, err, code, data = containers.inspect(self, execution)
  if not record then return nil, err, code, data end
  return network(record)
end

return {
  name = "docker", stop_signal = 0,
  environment = { "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY",
    "DOCKER_TLS", "HOME" },
  capabilities = { pause = true, resume = true, signal = true, exec = true, exec_stdin = true,
    stats = true, update = true, net_info = true },
  params = params,
  open = open, facts = Docker.facts, plan = Docker.plan, check = decide.check,
  apply_policies = decide.apply, grants = decide.grants,
  origins = require "backends.docker.origins",
  create = Docker.create, source = Docker.source, start = Docker.start,
  reattach = Docker.reattach, adoptable = adoptable, describe_step = Docker.describe_step,
  conclude = Docker.conclude, remove = containers.remove,
  list = containers.list, cleanup = containers.cleanup, pause = Docker.pause,
  resume = Docker.resume, signal = Docker.signal, exec = Docker.exec, stats = Docker.stats,
  update = Docker.update, info = Docker.info, net_info = Docker.net_info, health = Docker.health,
}
