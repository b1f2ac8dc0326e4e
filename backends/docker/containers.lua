--- The engine's objects that are an executor's: by its labels, and never by a name alone.
--
-- Several executors may share an engine and may have jobs of one name. What is removed or
-- taken over carries the label of this executor and of that job; an execution whose container
-- is known by its id is only ever that one.

local async = require "exhost.async"
local client = require "backends.docker.client"
local json = require "exhost.json"

local containers = {}

local REMOVE_SECONDS = 60
local REMOVED_AT_ONCE = 16 -- engines do one after the other anyway
local PAGE = 500
local TOLD = 5 -- of what cannot be removed

--- A container's path in the API: by its id, where it is known already.
---@param execution exhost.Execution
---@return string
function containers.path(execution)
  return "/containers/" .. client.escape(execution.record.container or execution.handle)
end

local function inspect(self, path)
  return self.api:call("GET", path .. "/json")
end

local function labels_of(record)
  return record.Config and record.Config.Labels or {}
end

--- Whether this executor made it for this job.
local function is_jobs(self, record, job)
  local labels = labels_of(record)
  return labels["exhost.executor"] == self.executor and labels["exhost.job"] == job
end

local function is_executions(self, record, execution)
  if execution.record.container then return record.Id == execution.record.container end
  return is_jobs(self, record, execution.job)
    and labels_of(record)["exhost.execution"] == execution.id
end

--- The record of an execution's own container. Another's under its name is not found. Suspends.
---@return table? record, string? err, string? code, table? data
function containers.inspect(self, execution)
  local record, err, code, data = inspect(self, containers.path(execution))
  if not record then return nil, err, code, data end
  if is_executions(self, record, execution) then return record end
  return nil, string.format("the name %s is another container's now (%s)", execution.handle,
    record.Id:sub(1, 12)), "not_found"
end

--- Delete by id; what is gone already is gone.
local function delete(self, id)
  return async.with_deadline(REMOVE_SECONDS, function()
    while true do
      local ok, err, code, data = self.api:call("DELETE", "/containers/" .. client.escape(id),
        { query = { force = "1", v = "1" } })
      if ok or code == "not_found" then return true end
      if not data or data.status ~= 409 then return nil, err, code, data end
      local slept, word = async.sleep(0.05) -- its removal is in progress
      if not slept then return nil, err, word end
    end
  end)
end

--- The name may be held by an ended container of an earlier execution of this job.
local function make_room(self, name, execution)
  local record, err, code, data = inspect(self, "/containers/" .. client.escape(name))
  if not record then
    if code == "not_found" then return true end
    return nil, err, code, data
  end
  if not is_jobs(self, record, execution.job) then
    return nil, string.format("the name %s is taken by a container that is not ours (%s)", name,
      record.Id:sub(1, 12)), "engine", { status = 409 }
  end
  if record.State and record.State.Running then
    return nil, string.format("container %s of this job still runs", name), "already_started"
  end
  return delete(self, record.Id)
end

--- Create the planned container. An ended one of the same job makes room for it. Suspends.
---@return { Id: string, Warnings: string[]? }? made, string? err, string? code, table? data
function containers.create(self, execution)
  local name = execution.plan.name
  for _ = 1, 2 do
    local made, err, code, data = self.api:call("POST", "/containers/create",
      { query = { name = name }, body = execution.plan.create, story = execution.event })
    if made then return made end
    if not data or data.status ~= 409 then
      return nil, "create container: " .. err, code == "not_found" and "engine" or code, data
    end
    local ok, why, kind, more = make_room(self, name, execution)
    if not ok then return nil, "create container: " .. why, kind, more end
  end
  return nil, "create container: the name " .. name .. " is taken again and again", "engine"
end

--- Remove an execution's container, any number of times. Suspends.
---@return true? ok, string? err, string? code, table? data
function containers.remove(self, _, execution)
  -- Its id is nobody else's.
  if execution.record.container then return delete(self, execution.record.container) end
  local record, err, code, data = containers.inspect(self, execution)
  if record then return delete(self, record.Id) end
  if code == "not_found" then return true end
  return nil, err, code, data
end

local function ours(self)
  return json.encode { label = json.array { "exhost.executor=" .. self.executor } }
end

--- All containers of this executor, or the newest ones. Suspends.
---@param most integer?
---@return { handle: string, job: string?, execution: string?, state: string }[]? list
---@return string? err, string? code, table? data
function containers.list(self, most)
  local list, err, code, data = self.api:call("GET", "/containers/json",
    { query = { all = "1", filters = ours(self), limit = most } })
  if not list then return nil, err, code, data end
  local found = {}
  for i, entry in ipairs(list) do
    local labels = entry.Labels or {}
    found[i] = { handle = entry.Id, job = labels["exhost.job"],
      execution = labels["exhost.execution"], state = entry.State }
  end
  return found
end

--- Networks or volumes that carry our label.
local function remove_kind(self, path, key, id, failures)
  local answer, err = self.api:call("GET", path, { query = { filters = ours(self) } })
  if not answer then failures[#failures + 1] = path:sub(2) .. ": list: " .. err end
  local things = type(answer) == "table" and (key and answer[key] or not key and answer)
  for _, thing in ipairs(type(things) == "table" and things or {}) do
    local ok, why, code = self.api:call("DELETE", path .. "/" .. client.escape(thing[id]))
    if not ok and code ~= "not_found" then
      failures[#failures + 1] = string.format("%s/%s: %s", path:sub(2), thing[id], why)
    end
  end
end

--- Remove the newest of our containers, but those that were `seen` before: what cannot be
--- removed stays among the newest, so a page is that much longer.
---@return boolean? more whether there were any to try, string? err, string? code
local function remove_page(self, seen, failures)
  local list, err, code = containers.list(self, PAGE + #failures)
  if not list then return nil, err, code end
  local jobs = {}
  for _, entry in ipairs(list) do
    if not seen[entry.handle] then
      seen[entry.handle] = true
      jobs[#jobs + 1] = function()
        local ok, why = delete(self, entry.handle)
        if not ok then
          failures[#failures + 1] = string.format("container %s of job %s: %s",
            entry.handle:sub(1, 12), entry.job or "unknown", why)
        end
      end
    end
  end
  async.all(jobs, REMOVED_AT_ONCE)
  return #jobs > 0
end

--- What was left, in a text that can be read however much that is.
local function left(failures)
  local told = table.concat(failures, "; ", 1, math.min(#failures, TOLD))
  if #failures > TOLD then told = string.format("%s; and %d more", told, #failures - TOLD) end
  return string.format("%d could not be removed: %s", #failures, told)
end

--- Remove every container, network and volume that carries our label, page by page: an answer
--- about thousands would be large. Suspends.
---@return true? ok, string? err, string? code
function containers.cleanup(self)
  local failures, seen = {}, {}
  repeat
    local more, err, code = remove_page(self, seen, failures)
    if more == nil then return nil, err, code end
  until not more
  remove_kind(self, "/networks", nil, "Id", failures)
  remove_kind(self, "/volumes", "Volumes", "Name", failures)
  if #failures > 0 then return nil, left(failures), "engine" end
  return true
end

return containers
