--- What may be asked of an executor about its executions. Methods of an executor.

local async = require "exhost.async"
local events = require "exhost.events"
local execution = require "exhost.execution"
local json = require "exhost.json"
local loop = require "exhost.loop"
local observe = require "exhost.observe"
local plans = require "exhost.plan"
local results = require "exhost.result"
local state = require "exhost.state"
local text = require "exhost.text"

---@class exhost.Executor
local Executor = {}

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

--- What `list` tells of one, of what its two files say.
local function entry_of(id, phase, status, record, result)
  return { execution_id = id, job_id = record.job_id, backend = record.backend,
    status = status, phase = phase, running = status == "running",
    created_at = record.created_at, started_at = record.started_at,
    finished_at = result.finished_at, exit_code = result.exit_code, reason = result.reason }
end

--- Of one that has ended; `expired`: it is only still there because nobody has looked.
local function ended_entry(self, id)
  local known = self.state:summary(id)
  if not known then return nil end
  local expired = type(known.expires_at) == "number" and known.expires_at <= loop.time()
  if expired and execution.dispatch(self, id, "recover") then return nil, true end
  return entry_of(id, known.phase == "removed" and "removed" or "concluded",
    results.status(known), known, known)
end

local function looked_entry(self, id)
  local view, status = observe.look(self.state, id), nil
  if view and not ENDED_STATES[view.state] then
    local _, code
    view:close()
    -- It may have to be concluded first; then it is another view.
    status, _, code = self:status(id)
    view = code ~= "not_found" and observe.look(self.state, id)
  end
  if not view then return nil end
  -- Its engine may be away: the phase says that it cannot be moved on now.
  status = status or (view.state == "abandoned" and "pending" or "running")
  local result = {}
  if ENDED_STATES[view.state] then
    result = state.read_json(view.dir, "result.json") or { reason = "lost" }
    status = results.status(result)
  end
  view:close()
  if view.state == "absent" or view.state == "newer" then return nil end
  return entry_of(view.id, view.state, status, view.record or {}, result)
end

--- Every execution of this executor (of the handle's backend, when it has one) that was
--- not removed; what has expired is deleted. Suspends where there are many.
---@return table[]? list, string? err, string? code
function Executor:list(options)
  local list, all, give_way = {}, options and options.all, async.pacer()
  for _, id in ipairs(self.state:ids()) do
    local ok, err, code = give_way()
    if not ok then return nil, err, code end
    local entry, expired = ended_entry(self, id)
    if not entry and not expired then entry = looked_entry(self, id) end
    if entry and (all or entry.phase ~= "removed")
      and not (self.only and entry.backend ~= self.only) then
      list[#list + 1] = entry
    end
  end
  return list
end

--- Whether an execution is of the handle's backend, where it has one.
local function is_seen(self, id)
  if not self.only then return true end
  local view = observe.look(self.state, id)
  local backend = view and view.record and view.record.backend
  if view then view:close() end
  return backend == nil or backend == self.only
end

--- The execution that holds a job (of the handle's backend, when it has one).
---@return string? id, string? err, string? code
function Executor:find(job)
  local holder = text.is_name(job) and self.state:job_holder(job)
  if not holder or not is_seen(self, holder) then
    return nil, string.format("unable to find execution for job %s", tostring(job)), "not_found"
  end
  return holder
end

--- The execution's events in order, also those of a start that failed.
---@return table[]? events, string? err, string? code
function Executor:why(id)
  local status, err, code = self:status(id)
  if status or code ~= "not_found" then -- also of one that cannot be rolled back now
    local list, why, kind = with_view(self, id, function(view) return events.read(view.dir) end)
    if list then return list end
    return nil, err or why, code or kind
  end
  local kept = code == "not_found" and text.is_name(id) and self.state.failed:read(id)
  if kept then return events.parse(kept) end
  return nil, err, code
end

return Executor
