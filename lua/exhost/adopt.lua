--- Taking over what somebody else started in an engine: each workload becomes an execution that
--- runs already, and gets a shim. From then on it is waited for, followed and stopped like others.

local backends = require "exhost.backend"
local durability = require "exhost.durability"
local execution = require "exhost.execution"
local json = require "exhost.json"
local loop = require "exhost.loop"
local request = require "exhost.request"
local state = require "exhost.state"
local text = require "exhost.text"

local adopt = {}

local function is_id(value)
  return text.is_name(value) and #value >= 2
end

--- The record that a start would have left.
local function record_of(executor, backend, item)
  local record = { format = state.FORMAT, phase = "running", backend = backend,
    job_id = item.job_id, execution_id = item.execution_id, created_at = loop.timestamp(),
    handle = item.handle, stop_grace = executor.settings.stop_grace, warnings = json.array {} }
  for key, value in pairs(item.record) do record[key] = value end
  return record
end

local function take(executor, backend, item)
  if item.why then return nil, item.why end
  for _, name in ipairs { "job_id", "execution_id" } do
    if not is_id(item[name]) then
      return nil, string.format("its %s is none here: %q", name, tostring(item[name]))
    end
  end
  local holder = executor.state:job_holder(item.job_id)
  if holder then
    return nil, string.format("job %s is held by execution %s", item.job_id, holder)
  end
  local record = record_of(executor, backend, item)
  local dir, lock, code = executor.state:create(item.execution_id, {
    ["request.json"] = json.encode(request.for_disk(item.request)),
    ["plan.json"] = json.encode(item.body), ["state.json"] = json.encode(record) })
  if not dir then
    return nil, code == "already_started" and "there is an execution of this id" or lock
  end
  local view = { id = item.execution_id, dir = dir, record = record }
  executor:event(view, "taken_over", { handle = item.handle, job = item.job_id })
  local ok, why = executor.state:claim_job(item.job_id, item.execution_id)
  if ok then durability.taken_over(executor, view) end
  lock:close()
  dir:close()
  if ok == nil then return nil, why end
  -- It is one whose shim is gone: that puts another one to it.
  ok, why = execution.dispatch(executor, item.execution_id, "recover")
  if not ok then return nil, why end
  return true
end

local function of_backend(executor, backend, list)
  local items, err, code = backend:adoptable()
  if not items then return nil, err, code end
  for _, item in ipairs(items) do
    local ok, why = take(executor, backend.name, item)
    list[#list + 1] = { job_id = item.job_id, execution_id = item.execution_id,
      handle = item.handle, why = not ok and why or nil }
  end
  return true
end

--- Take over what backends find of a DMS's own. Suspends.
---@param executor exhost.Executor
---@param name string? of the backend; nil: each that can
---@return { job_id: string, execution_id: string, handle: string, why: string? }[]? list those
--- with `why` were left alone
---@return string? err, string? code
function adopt.run(executor, name)
  local list = json.array {}
  for _, one in ipairs(name and { name } or backends.names(executor.lua_path)) do
    local backend, err, code = executor:backend(one)
    if not backend and name then return nil, err, code end
    if backend and backend.adoptable then
      local ok
      ok, err, code = of_backend(executor, backend, list)
      if not ok then return nil, err, code end
    elseif name then
      return nil, string.format("adopt is not supported by the %s executor", name), "unsupported"
    end
  end
  return list
end

return adopt
