--- The executor: one interface for every backend (design.md section 3).
--
-- Every method may suspend and answers a value, or nil, message, code[, data].

local arguments = require "exhost.executor.arguments"
local async = require "exhost.async"
local backends = require "exhost.backend"
local cleaning = require "exhost.executor.cleaning"
local conclude = require "exhost.conclude"
local config = require "exhost.config"
local events = require "exhost.events"
local execution = require "exhost.execution"
local log = require "exhost.log"
local plans = require "exhost.plan"
local queries = require "exhost.executor.queries"
local signals = require "exhost.signals"
local state = require "exhost.state"
local text = require "exhost.text"
local waiting = require "exhost.executor.waiting"

---@class exhost.Executor
---@field state exhost.State
---@field settings table
local Executor = {}
Executor.__index = Executor

for _, part in ipairs { queries, waiting, cleaning } do
  for name, method in pairs(part) do Executor[name] = method end
end

local REMOVE_SECONDS = 10

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
  if not text.is_name(id) then
    return nil, string.format("executor id %q: expected letters, digits and _.-", id), "invalid"
  end
  local path = options.state_dir or state.default_path()
  if path:sub(1, 1) ~= "/" then
    return nil, string.format("state folder %q: expected an absolute path", path), "invalid"
  end
  local settings, err, code = config.check(options.settings)
  if not settings then return nil, err, code end
  local known, store
  known, err, code = backends.are_known(settings.backends, options.lua_path)
  if not known then return nil, err, code end
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
  return plans.describe(plan, self.settings.ceiling or {})
end

--- Returns when the workload runs; on failure nothing is left but its events.
---@return string? id, string? err, string? code, table? data
function Executor:start(request)
  local plan, err, code, data = plans.make(self, request, true)
  if not plan then return nil, err, code, data end
  return execution.dispatch(self, plan.request.execution_id, "start", plan)
end

--- start and wait.
function Executor:run(request)
  local id, err, code, data = self:start(request)
  if not id then return nil, err, code, data end
  return self:wait(id)
end

--- Signal, grace, KILL; returns when it has ended (`wait = false`: when it was asked to).
--- The stop has its own deadline and goes on when the caller is interrupted.
---@param options? { signal: string|integer, grace: number|string, wait: boolean }
function Executor:cancel(id, options)
  local checked, err, code = arguments.stop(options or {})
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

--- Run a command inside a running execution and wait for its end. When the caller is
--- interrupted the command is killed. Suspends.
---@param argv string[]
---@param options { timeout: number|string?, targets: table?, stdin: integer? }? descriptors of
--- ours, taken over: targets, by stream, for output that is not to be returned but to go there
--- as it comes; stdin for what the command is to read, where the backend has `exec_stdin`
---@return table? result exit_code, signal, stdout, stderr, truncated
---@return string? err, string? code, table? data
function Executor:exec(id, argv, options)
  options = options or {}
  local checked, err, code = arguments.exec(argv, options)
  if not checked then return nil, err, code end
  return async.with_deadline(checked.timeout, execution.dispatch, self, id, "exec", argv, options)
end

--- Change limits of a running execution. Suspends.
---@param limits { memory: number|string?, cores: number?, pids: integer? }
---@return true? ok, string? err, string? code
function Executor:update(id, limits)
  local checked, err, code = arguments.limits(limits)
  if not checked then return nil, err, code end
  return execution.dispatch(self, id, "update", checked)
end

--- Stop and remove the execution that holds a job.
function Executor:terminate_by_job_id(job, timeout)
  local id, err, code = self:find(job)
  if not id then return nil, err, code end
  return self:remove(id, timeout)
end

--- Reconcile everything on disk: roll back, conclude, expire, sweep. Suspends.
---@return true? ok, string? err, string? code
function Executor:recover()
  local give_way = async.pacer()
  for _, id in ipairs(self.state:ids()) do
    execution.dispatch(self, id, "recover")
    local ok, err, code = give_way()
    if not ok then return nil, err, code end
  end
  self.state:sweep()
  return true
end

executor.to_json = conclude.to_json

return executor
