--- The executor: one interface for every backend (design.md section 3).
--
-- Every method may suspend and answers a value, or nil, message, code[, data].

local async = require "exhost.async"
local backends = require "exhost.backend"
local conclude = require "exhost.conclude"
local config = require "exhost.config"
local events = require "exhost.events"
local execution = require "exhost.execution"
local json = require "exhost.json"
local log = require "exhost.log"
local observe = require "exhost.observe"
local plans = require "exhost.plan"
local results = require "exhost.result"
local signals = require "exhost.signals"
local state = require "exhost.state"
local units = require "exhost.units"

---@class exhost.Executor
---@field state exhost.State
---@field settings table
local Executor = {}
Executor.__index = Executor

local WAIT_FOR_STATUS_SECONDS, REMOVE_SECONDS = 10, 10

local executor = {}

---@class exhost.ExecutorOptions
---@field id string? executor id, default "default"
---@field state_dir string? absolute
---@field backend string? default backend, default "process"
---@field settings table? checked by config.check
---@field lua_path string? extra roots for backends and policies
---@field lenient boolean? unknown request fields are warnings (the Go package)

--- Open an executor. `recover()` reconciles what is on disk; until then each execution is
--- reconciled when it is first touched.
---@param options exhost.ExecutorOptions
---@return exhost.Executor? executor, string? err, string? code
function executor.open(options)
  local id = options.id or "default"
  if not id:find("^[A-Za-z0-9][A-Za-z0-9_.-]*$") or #id > 128 then
    return nil, string.format("executor id %q: expected letters, digits and _.-", id), "invalid"
  end
  local path = options.state_dir or state.default_path()
  if path:sub(1, 1) ~= "/" then
    return nil, string.format("state folder %q: expected an absolute path", path), "invalid"
  end
  local settings, err, code = config.check(options.settings)
  if not settings then return nil, err, code end
  local store
  store, err, code = state.open(path, id)
  if not store then return nil, err, code end
  return setmetatable({
    state = store, settings = settings, name = id, opened = {},
    default_backend = options.backend or "process", lua_path = options.lua_path,
    only = options.only, lenient = options.lenient, readers = {}, feeds = {},
    waits = {}, shared = {},
  }, Executor)
end

--- Give everything back. Executions go on.
function Executor:close()
  for stream in pairs(self.readers) do stream:close() end
  for feed in pairs(self.feeds) do feed:close() end
  if self.shared.policies then self.shared.policies:close() end
  self.state:close()
end

--- The policies of this host, opened when they are first asked for.
---@return exhost.Policies
function Executor:policies()
  local shared = self.shared
  shared.policies = shared.policies
    or require("exhost.policy").new(self.settings, self.lua_path)
  return shared.policies
end

--- The opened backend of that name (nil: the default one).
---@return exhost.Backend? backend, string? err, string? code
function Executor:backend(name)
  name = name or self.default_backend
  if self.opened[name] then return self.opened[name] end
  local module, err, code = backends.load(name, self.lua_path)
  if not module then return nil, err, code end
  local opened
  opened, err, code = module.open { settings = self.settings, executor = self.name,
    state_dir = self.state.path }
  if not opened then return nil, string.format("open backend %s: %s", name, err), code end
  for key, value in pairs(module) do
    if opened[key] == nil then opened[key] = value end
  end
  self.opened[name] = opened
  return opened
end

--- Whether the backend can do anything now, such as reach its engine. Suspends.
---@return true? ok, string? err, string? code
function Executor:health()
  local backend, err, code = self:backend()
  if not backend then return nil, err, code end
  if not backend.health then return true end
  return backend:health()
end

--- What a backend is given of an execution.
function Executor:execution(view, plan)
  local record = view.record or {}
  local body = plan and plan.body
  return {
    id = view.id, job = record.job_id, handle = record.handle, dir = view.dir,
    dir_fd = view.dir and view.dir:fd(), record = record, settings = self.settings,
    request = plan and plan.request,
    plan = body or setmetatable({}, { __index = function(_, key)
      body = body or state.read_json(view.dir, "plan.json") or {}
      return body[key]
    end }),
    event = function(kind, fields) self:event(view, kind, fields) end,
    cancelled = function() return view.dir:stat("cancel") ~= nil end,
  }
end

--- Note something in an execution's story.
function Executor:event(view, kind, fields)
  if view.dir then events.add(view.dir, kind, fields, self.settings.events_limit) end
end

--- A verb that not every backend has.
function Executor:optional(verb, view, ...)
  local backend, err, code = self:backend(view.record and view.record.backend)
  if not backend then return nil, err, code end
  if not backend[verb] then
    return nil, string.format("%s is not supported by the %s executor", verb, backend.name),
      "unsupported"
  end
  return backend[verb](backend, self:execution(view), ...)
end

---@return string id
function Executor:id()
  return self.name
end

--- What `start` would do: touches nothing.
---@param request table DMS's JSON, or snake_case
---@return table? plan, string? err, string? code
function Executor:plan(request)
  local plan, err, code = plans.make(self, request)
  if not plan then return nil, err, code end
  return plans.describe(plan)
end

--- Returns when the workload runs; on failure nothing is left but its events.
---@return string? id, string? err, string? code, table? data
function Executor:start(request)
  local plan, err, code, data = plans.make(self, request)
  if not plan then return nil, err, code, data end
  return execution.dispatch(self, plan.request.execution_id, "start", plan)
end

--- start and wait.
function Executor:run(request)
  local id, err, code, data = self:start(request)
  if not id then return nil, err, code, data end
  return self:wait(id)
end

--- Who waits first watches the execution, others follow: a wait costs them no descriptor. One
--- that leaves early hands the watch to a follower.
local function join_wait(self, id)
  while true do
    local watch = self.waits[id]
    if not watch then
      watch = {}
      self.waits[id] = watch
      watch.answer = { pcall(execution.dispatch, self, id, "wait") }
      self.waits[id] = nil
      watch.left = watch.answer[2] == nil and async.interrupted()
      for wake in pairs(watch.followers or {}) do wake(true) end
      if not watch.answer[1] then error(watch.answer[2], 0) end
      return unpack(watch.answer, 2, 5)
    end
    local ok, word, code = async.await(function(done)
      watch.followers = watch.followers or {}
      watch.followers[done] = true
      return function() watch.followers[done] = nil end
    end)
    if not ok then return nil, word, code end
    if not watch.left then
      if not watch.answer[1] then return nil, tostring(watch.answer[2]), "internal" end
      return unpack(watch.answer, 2, 5)
    end
  end
end

--- The result; repeatable. `timeout` in seconds, nil for none.
---@return table? result, string? err, string? code
function Executor:wait(id, timeout)
  local value, err, code = async.with_deadline(timeout, join_wait, self, id)
  if code == "timeout" then
    err = string.format("wait for execution (%s): timeout", id)
  end
  return value, err, code
end

local function stop_options(options)
  local checked = { wait = options.wait }
  local err
  if options.signal ~= nil then
    checked.signal, err = signals.number(options.signal)
    if not checked.signal then return nil, "signal: " .. err, "invalid" end
  end
  if options.grace ~= nil then
    checked.grace, err = units.duration(options.grace)
    if not checked.grace then return nil, "grace: " .. err, "invalid" end
  end
  return checked
end

--- Signal, grace, KILL; returns when it has ended (`wait = false`: when it was asked to).
--- The stop has its own deadline and goes on when the caller is interrupted.
---@param options? { signal: string|integer, grace: number|string, wait: boolean }
function Executor:cancel(id, options)
  local checked, err, code = stop_options(options or {})
  if not checked then return nil, err, code end
  return execution.dispatch(self, id, "cancel", checked)
end

--- Stop it if it runs, free its job and the engine's objects. Result and logs stay until
--- they expire, or go now with `purge`.
---@param timeout number? the most seconds until KILL, default 10; its own stop_grace may be less
---@param options? { purge: boolean }
function Executor:remove(id, timeout, options)
  return execution.dispatch(self, id, "remove", { most_grace = timeout or REMOVE_SECONDS,
    purge = options and options.purge })
end

---@return string? status pending running paused success failed
function Executor:status(id)
  return execution.dispatch(self, id, "status")
end

local ENDED = { success = true, failed = true }

--- Wait until the execution has this status. A status that can no longer come is an
--- error at once.
function Executor:wait_for_status(id, status, timeout)
  local failure = string.format("execution (%s) did not reach status %s", id, status)
  return async.with_deadline(timeout or WAIT_FOR_STATUS_SECONDS, function()
    while true do
      local now, err, code = self:status(id)
      if not now then
        if code == "timeout" then return nil, failure, code end
        return nil, err, code
      end
      if now == status then return true end
      if ENDED[now] then return nil, failure .. " (it is " .. now .. ")", "already_completed" end
      local view = observe.look(self.state, id)
      local signal = view and view.dir and observe.listen(view)
      local ok, word = true, nil
      if signal then
        -- Anything between the look and the listening is seen by this second look.
        if self:status(id) == now then ok, word = signal:wait() end
        signal:close()
      end
      if view then view:close() end
      if not ok then return nil, word == "timeout" and failure or word, word end
    end
  end)
end

--- A pipe with the execution's output: log.lua.
---@return table? stream, string? err, string? code
function Executor:get_log_stream(id, options)
  return log.open(self, id, options or {})
end

--- What not every backend has: code `unsupported` then. These suspend, and answer true, or
--- what is used now.
function Executor:pause(id) return execution.dispatch(self, id, "pause") end
function Executor:resume(id) return execution.dispatch(self, id, "resume") end
function Executor:stats(id) return execution.dispatch(self, id, "stats") end

---@param signal string|integer
function Executor:signal(id, signal)
  local number, err = signals.number(signal)
  if not number then return nil, "signal: " .. err, "invalid" end
  return execution.dispatch(self, id, "signal", number)
end

local function check_argv(argv)
  if type(argv) ~= "table" or #argv == 0 then return "expected a list of words" end
  for i, word in ipairs(argv) do
    if type(word) ~= "string" then return string.format("word %d is no string", i) end
    if word:find("\0", 1, true) then return string.format("word %d holds a NUL", i) end
  end
  if argv[1] == "" then return "the first word is empty" end
end

--- Run a command inside a running execution and wait for its end. When the caller is
--- interrupted the command is killed. Suspends.
---@param argv string[]
---@param options { timeout: number|string?, targets: table? }? targets: descriptors of ours
--- by stream, taken over, for output that is not to be returned
---@return table? result exit_code, signal, stdout, stderr, truncated
---@return string? err, string? code, table? data
function Executor:exec(id, argv, options)
  options = options or {}
  local why, timeout = check_argv(argv), nil
  if why then return nil, "exec: " .. why, "invalid" end
  if options.timeout ~= nil then
    timeout, why = units.duration(options.timeout)
    if not timeout then return nil, "timeout: " .. why, "invalid" end
  end
  return async.with_deadline(timeout, execution.dispatch, self, id, "exec", argv, options)
end

local LIMITS = {
  memory = units.size,
  cores = function(value) return tonumber(value), "expected a number" end,
  pids = function(value) return tonumber(value), "expected a number" end,
}

--- Change limits of a running execution. Suspends.
---@param limits { memory: number|string?, cores: number?, pids: integer? }
---@return true? ok, string? err, string? code
function Executor:update(id, limits)
  local checked = {}
  for name, value in pairs(type(limits) == "table" and limits or {}) do
    if not LIMITS[name] then
      return nil, string.format("update: unknown limit %s; known are cores, memory, pids",
        tostring(name)), "invalid"
    end
    local number, err = LIMITS[name](value)
    if not number or number <= 0 or number ~= number then
      return nil, string.format("update: %s: %s", name,
        number and "expected a number above 0" or err), "invalid"
    end
    if name == "pids" then number = math.floor(number) end
    checked[name] = number
  end
  if not next(checked) then return nil, "update: no limit given", "invalid" end
  return execution.dispatch(self, id, "update", checked)
end

--- Look at one execution without changing it.
local function with_view(self, id, fn)
  local view, err, code = observe.look(self.state, id)
  if not view then return nil, err, code end
  if view.state == "absent" then
    return nil, string.format("execution (%s) not found", id), "not_found"
  end
  local a, b, c = fn(view)
  view:close()
  return a, b, c
end

--- What is known of an execution.
function Executor:info(id)
  local status, err, code = self:status(id)
  if not status then return nil, err, code end
  return with_view(self, id, function(view)
    local record = view.record or {}
    local info = {
      execution_id = view.id, job_id = record.job_id, backend = record.backend,
      status = status, phase = view.state, created_at = record.created_at,
      started_at = record.started_at, pid = view.state ~= "concluded" and record.pid or nil,
      warnings = json.array(record.warnings or {}), log_dir = record.log_dir,
      runtime = record.backend,
      request = plans.stored_request(view.dir), plan = plans.stored_plan(view.dir),
    }
    local result = state.read_json(view.dir, "result.json")
    if result then
      info.finished_at, info.result = result.finished_at, result
      info.expires_at = record.expires_at or result.expires_at
    end
    local backend = self:backend(record.backend)
    local own = backend and backend.info and record.handle
      and backend:info(self:execution(view)) or {}
    for key, value in pairs(own) do
      if info[key] == nil then info[key] = value end
    end
    return info
  end)
end

--- Addresses and ports, where the backend has a network.
function Executor:net_info(id)
  return with_view(self, id, function(view) return self:optional("net_info", view) end)
end

local ENDED_STATES = { concluded = true, removed = true }
local STATUS = { creating = "pending", starting = "pending", paused = "paused" }

--- What `list` tells of one; nil when it is not asked for, or gone.
local function entry_of(self, view, all)
  local record = view.record or {}
  if view.state == "absent" or view.state == "newer" then return nil end
  if view.state == "removed" and not all or self.only and record.backend ~= self.only then
    return nil
  end
  local ended = ENDED_STATES[view.state]
  local result = ended and state.read_json(view.dir, "result.json")
  local status = ended and results.status(result or { reason = "lost" })
    or STATUS[view.state] or "running"
  result = result or {}
  return { execution_id = view.id, job_id = record.job_id, backend = record.backend,
    status = status, phase = view.state, running = status == "running",
    created_at = record.created_at, started_at = record.started_at,
    finished_at = result.finished_at, exit_code = result.exit_code, reason = result.reason }
end

--- Every execution of this executor (of the handle's backend, when it has one) that was
--- not removed.
---@return table[] list
function Executor:list(options)
  local list, all = {}, options and options.all
  for _, id in ipairs(self.state:ids()) do
    local view = observe.look(self.state, id)
    if view and not ENDED_STATES[view.state] then
      view:close()
      -- It may have to be concluded first; then it is another view.
      view = self:status(id) and observe.look(self.state, id)
    end
    local entry = view and entry_of(self, view, all)
    if view then view:close() end
    if entry then list[#list + 1] = entry end
  end
  return list
end

--- The execution that holds a job.
---@return string? id, string? err, string? code
function Executor:find(job)
  local holder = type(job) == "string" and job:find("^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    and self.state:job_holder(job)
  if not holder then
    return nil, string.format("unable to find execution for job %s", tostring(job)), "not_found"
  end
  return holder
end

--- Stop and remove the execution that holds a job.
function Executor:terminate_by_job_id(job, timeout)
  local id, err, code = self:find(job)
  if not id then return nil, err, code end
  return self:remove(id, timeout)
end

--- Stop and remove everything of this executor (of the handle's backend, when it has one),
--- half-made and left-over things too.
function Executor:cleanup()
  local jobs, failures = {}, {}
  for _, entry in ipairs(self:list { all = true }) do
    jobs[#jobs + 1] = function()
      local ok, err, code = self:remove(entry.execution_id)
      if not ok and code ~= "not_found" then failures[#failures + 1] = err end
    end
  end
  async.all(jobs)
  self.state:sweep()
  local backend = self:backend(self.only)
  if backend and backend.cleanup then
    local ok, err = backend:cleanup()
    if not ok then failures[#failures + 1] = err end
  end
  if #failures > 0 then
    return nil, "failed to remove executions: " .. table.concat(failures, "; "), "io"
  end
  return true
end

--- Reconcile everything on disk: roll back, conclude, expire, sweep.
function Executor:recover()
  for _, id in ipairs(self.state:ids()) do
    execution.dispatch(self, id, "recover")
  end
  self.state:sweep()
  return true
end

--- The execution's events in order, also those of a start that failed.
---@return table[]? events, string? err, string? code
function Executor:why(id)
  local status, err, code = self:status(id)
  if status then
    return with_view(self, id, function(view) return events.read(view.dir) end)
  end
  local text = code == "not_found" and type(id) == "string" and not id:find("/")
    and self.state.failed:read(id)
  if text then return events.parse(text) end
  return nil, err, code
end

executor.to_json = conclude.to_json

return executor
