--- Backend `docker`: jobs as containers of a Docker engine, or of what speaks its API.

local async = require "exhost.async"
local body = require "backends.docker.body"
local ceiling = require "backends.docker.ceiling"
local client = require "backends.docker.client"
local conclude = require "backends.docker.conclude"
local exec = require "backends.docker.exec"
local image = require "backends.docker.image"
local json = require "exhost.json"
local loop = require "exhost.loop"
local network = require "backends.docker.network"
local params = require "backends.docker.params"
local provision = require "backends.docker.provision"
local reference = require "backends.docker.reference"
local signals = require "exhost.signals"
local stats = require "backends.docker.stats"

local REMOVE_SECONDS = 60

---@class exhost.DockerBackend
---@field api exhost.DockerClient
local Docker = {}
Docker.__index = Docker

local function open(config)
  local settings = config.settings or {}
  local api, err, code = client.open(((settings.backends or {}).docker or {}).host)
  if not api then return nil, err, code end
  return setmetatable({ name = "docker", settings = settings, api = api,
    executor = config.executor or "default" }, Docker)
end

--- Whether the engine answers. Suspends.
function Docker:health()
  local answer, err, code, data = self.api:call("GET", "/version")
  if not answer then return nil, err, code, data end
  return true
end

local function container_path(name)
  return "/containers/" .. client.escape(name)
end

local function inspect(self, name)
  return self.api:call("GET", container_path(name) .. "/json")
end

--- What planning reads: the image, if it is here. GET only.
function Docker:facts(request)
  local name = reference.text(assert(reference.parse(request.engine_spec.params.image)))
  local found, err, code, data = image.inspect(self.api, name)
  if found then return { image = found.Config or {} } end
  if code == "not_found" then return {} end
  return nil, err, code, data
end

function Docker:plan(request, facts)
  local made = body.make(request, self.executor, facts.image)
  made.warnings = json.array {}
  if not facts.image then
    made.warnings[1] = "the image is not here: " .. (self.settings.image_pull == "never"
      and "and pull is off" or "start pulls it")
  end
  return made
end

--- Put what the policies decided into the body: lists append, a scalar replaces; a
--- variable of theirs wins over the job's own and the image's.
function Docker.apply_policies(_, made, decision)
  local host, origin = made.create.HostConfig, {}
  for field, entry in pairs(decision.config) do
    if entry.list and type(host[field]) == "table" then
      for _, item in ipairs(entry.value) do table.insert(host[field], item) end
    else
      host[field] = entry.list and json.array(entry.value) or entry.value
    end
    origin["HostConfig." .. field] = json.array(entry.from)
  end
  for name, entry in pairs(decision.env) do
    local kept = json.array {}
    for _, variable in ipairs(made.create.Env or {}) do
      if variable:match("^[^=]*") ~= name then kept[#kept + 1] = variable end
    end
    kept[#kept + 1] = name .. "=" .. tostring(entry.value)
    made.create.Env = kept
    origin["Env." .. name] = json.array(entry.from)
  end
  made.origin = origin
  return true
end

--- Against the ceiling; where a policy set the field, its line is named.
function Docker.check(_, made, allowed)
  local ok, err, code = ceiling.check(made.create, allowed)
  if ok then return true end
  local field = err:match("^(HostConfig%.%w+)")
  local from = made.origin and made.origin[field]
  if from then err = err .. ", set at " .. table.concat(from, ", ") end
  return nil, err, code
end

--- Have the image; the handle is the container's name, known before there is one.
function Docker:create(execution)
  local asked = execution.request
  local found, err, code, data = image.ensure(self.api, asked.engine_spec.params,
    self.settings.image_pull or "missing", {
      cancelled = execution.cancelled,
      report = function(fields) execution.event("pull", fields) end })
  if not found then return nil, err, code, data end
  -- The image was not here to plan with: only its command is new. What the policies and the
  -- ceiling have seen stays.
  if execution.plan.image_missing then
    body.set_command(execution.plan.create, asked, found.Config or {})
  end
  return execution.plan.name
end

local function is_ours(record, execution)
  local labels = record.Config and record.Config.Labels or {}
  return labels["exhost.execution"] == execution.id or labels["exhost.job"] == execution.job
end

--- The name may be held by an ended container of an earlier execution of this job.
local function make_room(self, name, execution)
  local record, err, code, data = inspect(self, name)
  if not record then
    if code == "not_found" then return true end
    return nil, err, code, data
  end
  if not is_ours(record, execution) then
    return nil, string.format("the name %s is taken by a container that is not ours (%s)", name,
      record.Id:sub(1, 12)), "engine", { status = 409 }
  end
  if record.State and record.State.Running then
    return nil, string.format("container %s of this job still runs", name), "already_started"
  end
  return self:delete(record.Id)
end

local function create_container(self, execution)
  local name = execution.plan.name
  for _ = 1, 2 do
    local made, err, code, data = self.api:call("POST", "/containers/create",
      { query = { name = name }, body = execution.plan.create })
    if made then return made end
    if not data or data.status ~= 409 then
      return nil, "create container: " .. err, code == "not_found" and "engine" or code, data
    end
    local ok, why, kind, more = make_room(self, name, execution)
    if not ok then return nil, "create container: " .. why, kind, more end
  end
  return nil, "create container: the name " .. name .. " is taken again and again", "engine"
end

local function shim_items(self, execution, id, more)
  local settings, made, items = self.settings, execution.plan, {}
  local function add(key, value)
    if value ~= nil then items[#items + 1] = { key, value } end
  end
  add("execution", execution.id)
  add("engine", self.api.engine)
  add("container", id)
  add("api", self.api.version)
  add("tty", made.create.Tty and 1 or 0)
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
  if not made then return nil, err, code, data end
  for _, warning in ipairs(type(made.Warnings) == "table" and made.Warnings or {}) do
    execution.event("warning", { message = warning })
  end
  local ok
  ok, err, code, data = provision.copy(self.api, made.Id, execution.request)
  if not ok then return nil, err, code, data end
  return shim_items(self, execution, made.Id)
end

--- What a shim needs to go on with a container whose shim died; nil when it is gone.
function Docker:reattach(execution, had)
  local record, err, code, data = inspect(self, execution.handle)
  if not record then return nil, err, code, data end
  if not is_ours(record, execution) then return nil, "it is another one now", "not_found" end
  if record.State.Status == "created" then return nil, "it was never started", "never_ran" end
  return shim_items(self, execution, record.Id, { { "reattach", 1 },
    { "skip_stdout", had.stdout }, { "skip_stderr", had.stderr } })
end

--- Exit statuses of the command for what an engine says of a program.
local function explain_start(text, data)
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
  local before = loop.now()
  local ok, err, code, data = self.api:call("POST", container_path(execution.handle) .. "/start")
  execution.event("engine_start", { ms = math.floor((loop.now() - before) * 1000) })
  if ok then return true end
  if data and data.status and not data.cut then
    return nil, "start container: " .. err, code == "not_found" and "engine" or code,
      explain_start(err, data)
  end
  local record = async.shield(10, inspect, self, execution.handle)
  if record and record.State and record.State.Status ~= "created" then return true end
  return nil, "start container: " .. err, code, data
end

function Docker:conclude(execution, exit)
  return conclude(self.api, execution, exit)
end

--- Delete by id; what is gone already is gone.
function Docker:delete(id)
  return async.with_deadline(REMOVE_SECONDS, function()
    while true do
      local ok, err, code, data = self.api:call("DELETE", container_path(id),
        { query = { force = "1", v = "1" } })
      if ok or code == "not_found" then return true end
      if not data or data.status ~= 409 then return nil, err, code, data end
      local slept, word = async.sleep(0.05) -- its removal is in progress
      if not slept then return nil, err, word end
    end
  end)
end

function Docker:remove(handle, execution)
  local record, err, code, data = inspect(self, handle)
  if not record then
    if code == "not_found" then return true end
    return nil, err, code, data
  end
  local labels = record.Config and record.Config.Labels or {}
  if labels["exhost.execution"] ~= execution.id then return true end -- the name is another's now
  return self:delete(record.Id)
end

local function ours(self)
  return json.encode { label = json.array { "exhost.executor=" .. self.executor } }
end

--- All containers of this executor.
function Docker:list()
  local list, err, code, data = self.api:call("GET", "/containers/json",
    { query = { all = "1", filters = ours(self) } })
  if not list then return nil, err, code, data end
  local found = {}
  for i, entry in ipairs(list) do
    local labels = entry.Labels or {}
    found[i] = { handle = entry.Id, job = labels["exhost.job"],
      execution = labels["exhost.execution"], state = entry.State }
  end
  return found
end

--- Remove every container, network and volume that carries our label.
function Docker:cleanup()
  local list, err, code = self:list()
  if not list then return nil, err, code end
  local failures, jobs = {}, {}
  for _, entry in ipairs(list) do
    jobs[#jobs + 1] = function()
      local ok, why = self:delete(entry.handle)
      if not ok then failures[#failures + 1] = why end
    end
  end
  async.all(jobs)
  for _, kind in ipairs { { "/networks", nil, "Id" }, { "/volumes", "Volumes", "Name" } } do
    local path, key, id = kind[1], kind[2], kind[3]
    local answer = self.api:call("GET", path, { query = { filters = ours(self) } })
    local things = type(answer) == "table" and (key and answer[key] or not key and answer) or {}
    for _, thing in ipairs(type(things) == "table" and things or {}) do
      local ok, why, kind_of = self.api:call("DELETE", path .. "/" .. client.escape(thing[id]))
      if not ok and kind_of ~= "not_found" then failures[#failures + 1] = why end
    end
  end
  if #failures > 0 then return nil, table.concat(failures, "; "), "engine" end
  return true
end

local function post(self, execution, action, query)
  local ok, err, code, data = self.api:call("POST",
    container_path(execution.handle) .. "/" .. action, { query = query })
  if ok then return true end
  return nil, err, code, data
end

function Docker:pause(execution) return post(self, execution, "pause") end
function Docker:resume(execution) return post(self, execution, "unpause") end

function Docker:signal(execution, number)
  return post(self, execution, "kill", { signal = signals.name(number) or tostring(number) })
end

function Docker:exec(execution, argv, options)
  return exec(self.api, execution.handle, argv, options, self.settings.output_limit)
end

function Docker:stats(execution)
  return stats(self.api, execution.handle)
end

function Docker:update(execution, limits)
  local ok, err, code, data = self.api:call("POST", container_path(execution.handle) .. "/update",
    { body = { Memory = limits.memory, MemorySwap = limits.memory, PidsLimit = limits.pids,
      NanoCpus = limits.cores and body.nano_cpus(limits.cores) } })
  if ok then return true end
  return nil, err, code, data
end

function Docker:info(execution)
  local record = inspect(self, execution.handle)
  return record and { container_id = record.Id, image = record.Config and record.Config.Image,
    net = network(record) } or {}
end

function Docker:net_info(execution)
  local record, err, code, data = inspect(self, execution.handle)
  if not record then return nil, err, code, data end
  return network(record)
end

return {
  name = "docker", stop_signal = 0,
  capabilities = { pause = true, resume = true, signal = true, exec = true, stats = true,
    update = true, net_info = true },
  params = params,
  open = open, facts = Docker.facts, plan = Docker.plan, check = Docker.check,
  apply_policies = Docker.apply_policies,
  create = Docker.create, source = Docker.source, start = Docker.start,
  reattach = Docker.reattach, conclude = Docker.conclude, remove = Docker.remove,
  list = Docker.list, cleanup = Docker.cleanup, pause = Docker.pause, resume = Docker.resume,
  signal = Docker.signal, exec = Docker.exec, stats = Docker.stats, update = Docker.update,
  info = Docker.info, net_info = Docker.net_info, health = Docker.health,
}
