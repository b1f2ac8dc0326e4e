--- The methods that can be called from outside: one table for the C API and the socket.
--
-- A method takes the executor and its parameters, an object, and answers a value, or nil,
-- message, code, data. What it answers as `fd` travels as a descriptor.

local build = require "exhost.build"
local conclude = require "exhost.conclude"
local feed = require "exhost.feed"
local fs = require "exhost.fs"
local json = require "exhost.json"
local loop = require "exhost.loop"
local metrics = require "exhost.metrics"
local text = require "exhost.text"

local rpc = {}

---@class exhost.Method
---@field params table<string, string> names and types; "!" marks those that are required
---@field later (fun(ex: exhost.Executor, p: table, report: function): fun()?)? see rpc.later
---@field wanted table<string, string> the types alone
---@field required string[]
---@field labels table<string, string> of its metrics
---@field call fun(ex: exhost.Executor, p: table): any, string?, string?, table?
---@type table<string, exhost.Method>
rpc.METHODS = {}

local function method(name, params, call)
  local wanted, required = {}, {} -- read once: a call may take less than reading them
  for key, kind in pairs(params) do
    wanted[key] = kind:gsub("!", "")
    if kind:sub(-1) == "!" then required[#required + 1] = key end
  end
  rpc.METHODS[name] = { params = params, wanted = wanted, required = required, call = call,
    labels = { method = name } }
end

local ID = "string!"

-- Who asks may do its work here instead of itself: it may ask what else that would change.
method("id", { variables = "table" }, function(ex, p)
  local answer = { id = ex:id(), version = build.version }
  if not p.variables then return answer end
  answer.open_files, answer.environment = fs.open_files(), {}
  for _, name in ipairs(p.variables) do
    answer.environment[name] = type(name) == "string" and os.getenv(name) or nil
  end
  return answer
end)
method("health", {}, function(ex) return ex:health() end)
method("plan", { request = "table!" }, function(ex, p) return ex:plan(p.request) end)
method("start", { request = "table!" }, function(ex, p)
  local id, err, code, data = ex:start(p.request)
  if not id then return nil, err, code, data end
  return { id = id }
end)
method("run", { request = "table!" }, function(ex, p)
  local result, err, code, data = ex:run(p.request)
  if not result then return nil, err, code, data end
  return conclude.to_json(result)
end)
method("wait", { id = ID, timeout = "number" }, function(ex, p)
  local result, err, code, data = ex:wait(p.id, p.timeout)
  if not result then return nil, err, code, data end
  return conclude.to_json(result)
end)
rpc.METHODS.wait.later = function(ex, p, report)
  if p.timeout then return nil end
  return ex:follow_wait(p.id, function(result, err, code)
    if not result then return report(nil, err, code) end
    report(conclude.to_json(result))
  end)
end
method("cancel", { id = ID, signal = "any", grace = "any", wait = "boolean" }, function(ex, p)
  return ex:cancel(p.id, p)
end)
method("get_log_stream", { id = ID, tail = "boolean", follow = "boolean", lines = "number",
  since = "number", ["until"] = "number", stream = "string", timestamps = "boolean",
  format = "string" }, function(ex, p)
  local id = p.id
  p.id = nil
  local stream, err, code = ex:get_log_stream(id, p)
  if not stream then return nil, err, code end
  return {}, stream:take()
end)
method("pause", { id = ID }, function(ex, p) return ex:pause(p.id) end)
method("resume", { id = ID }, function(ex, p) return ex:resume(p.id) end)
method("signal", { id = ID, signal = "any!" }, function(ex, p) return ex:signal(p.id, p.signal) end)
method("remove", { id = ID, timeout = "number", purge = "boolean" }, function(ex, p)
  return ex:remove(p.id, p.timeout, { purge = p.purge })
end)
method("cleanup", {}, function(ex) return ex:cleanup() end)
method("list", { all = "boolean" }, function(ex, p)
  local list, err, code = ex:list(p)
  return list and json.array(list), err, code
end)
method("status", { id = ID }, function(ex, p)
  local status, err, code = ex:status(p.id)
  return status and { status = status }, err, code
end)
method("wait_for_status", { id = ID, status = "string!", timeout = "number" }, function(ex, p)
  return ex:wait_for_status(p.id, p.status, p.timeout)
end)
method("exec", { id = ID, argv = "table!", timeout = "any" }, function(ex, p)
  local result, err, code, data = ex:exec(p.id, p.argv, { timeout = p.timeout })
  if not result then return nil, err, code, data end
  return conclude.to_json(result)
end)
method("stats", { id = ID }, function(ex, p) return ex:stats(p.id) end)
method("update", { id = ID, cores = "any", memory = "any", pids = "any" }, function(ex, p)
  local id = p.id
  p.id = nil
  return ex:update(id, p)
end)
method("info", { id = ID }, function(ex, p) return ex:info(p.id) end)
method("net_info", { id = ID }, function(ex, p) return ex:net_info(p.id) end)
method("find", { job_id = ID }, function(ex, p)
  local id, err, code = ex:find(p.job_id)
  return id and { id = id }, err, code
end)
method("terminate_by_job_id", { job_id = ID, timeout = "number" }, function(ex, p)
  return ex:terminate_by_job_id(p.job_id, p.timeout)
end)
method("why", { id = ID }, function(ex, p)
  local events, err, code = ex:why(p.id)
  return events and json.array(events), err, code
end)
method("recover", {}, function(ex) return ex:recover() end)
method("subscribe", { buffer = "number" }, function(ex, p)
  local fd, err, code = feed.open(ex, p)
  if not fd then return nil, err, code end
  return {}, fd
end)
method("metrics", {}, function(ex) return { text = metrics.text(ex) } end)
method("policy_list", {}, function(ex) return json.array(ex:policies():list()) end)
method("policy_reload", {}, function(ex) return json.array(ex:policies():reload()) end)
method("policy_rollback", { name = "string!" }, function(ex, p)
  return ex:policies():rollback(p.name)
end)
method("methods", {}, function()
  local list = {}
  for name, m in pairs(rpc.METHODS) do list[name] = m.params end
  return list
end)

local KINDS = { table = "an object", string = "a string", number = "a number",
  boolean = "a boolean" }

local function check(name, m, p)
  for _, key in ipairs(m.required) do
    if p[key] == nil then return string.format("%s: %s is missing", name, key) end
  end
  for key, value in pairs(p) do
    local wanted = m.wanted[key]
    if wanted and wanted ~= "any" and type(value) ~= wanted then
      return string.format("%s: %s: expected %s, got %s", name, key,
        key == "argv" and "an array" or KINDS[wanted], KINDS[type(value)])
    end
    if not wanted and key ~= "backend" then
      return string.format("%s: unknown parameter %s", name, text.quote(tostring(key)))
    end
  end
  if p.backend ~= nil and type(p.backend) ~= "string" then
    return name .. ": backend: expected a string"
  end
end

--- An executor that sees one backend's executions alone, and starts on it by default.
local function handle(ex, backend)
  if not backend then return ex end
  ex.handles = ex.handles or {}
  ex.handles[backend] = ex.handles[backend]
    or setmetatable({ default_backend = backend, only = backend }, { __index = ex })
  return ex.handles[backend]
end

--- What a call needs: its method, the handle and parameters of its own.
---@return exhost.Method? m, any handle_or_err, any params_or_code
local function prepare(ex, name, params)
  local m = rpc.METHODS[name]
  if not m then
    return nil, string.format("no method %s (\"methods\" lists them)", text.quote(name)), "invalid"
  end
  if params ~= nil and type(params) ~= "table" then
    return nil, name .. ": parameters: expected an object", "invalid"
  end
  local p = {}
  if params then
    for key, value in pairs(params) do p[key] = value end
  end
  local why = check(name, m, p)
  if why then return nil, why, "invalid" end
  local backend = p.backend
  p.backend = nil
  if backend then
    local ok, err, code = ex:backend(backend)
    if not ok then return nil, err, code end
  end
  return m, handle(ex, backend), p
end

--- Call a method by name. Suspends as the method does.
---@param ex exhost.Executor
---@param name string
---@param params table? also `backend`: the handle's (design.md section 3)
---@return any value, string|integer|nil err_or_fd, string? code, table? data
function rpc.call(ex, name, params)
  local m, own, p = prepare(ex, name, params)
  if not m then return nil, own, p end
  return metrics.watch("exhost_call", "exhost_calls_total", m.labels, m.call, own, p)
end

--- Call a method that only has to wait, without a task for it: a task is ten times as big.
---@param report fun(value: any, err: string?, code: string?) called once, unless aborted
---@return fun()? abort nil: this call needs rpc.call
function rpc.later(ex, name, params, report)
  local known = rpc.METHODS[name]
  if not known or not known.later then return nil end
  local m, own, p = prepare(ex, name, params)
  if not m then return nil end
  local began = loop.now()
  return m.later(own, p, function(value, err, code)
    metrics.note("exhost_call", "exhost_calls_total", m.labels,
      value == nil and (code or "internal") or "ok", loop.now() - began)
    report(value, err, code)
  end)
end

return rpc
