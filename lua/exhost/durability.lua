--- What is on the disk, and not only in the system's memory, before an answer: the setting
-- `durability`. A loss of power is all that can tell the difference.
--
-- "result": result.json, which conclude.lua syncs whatever the setting. "full": what a start
-- has written before anything runs, each change of it before the call answers, and by the
-- shim the logs and `exit`. The story and the wish to cancel are not synced.

local async = require "exhost.async"

local durability = {}

local function is_full(executor)
  return executor.settings.durability == "full"
end

---@param place { what: string, dir: any, names: string[] }
local function sync_place(place)
  local ok, err, code = async.await(function(done)
    local queued, why, name = place.dir:sync(place.names, done)
    if not queued then done(nil, why, name) end
  end)
  if ok then return true end
  local interrupted = code == "cancelled" or code == "timeout"
  return nil, "sync " .. place.what .. ": " .. err, interrupted and code or "io"
end

local function sync(executor, places)
  if not is_full(executor) then return true end
  for _, place in ipairs(places) do
    local ok, err, code = sync_place(place)
    if not ok then return nil, err, code end
  end
  return true
end

local function tell(executor, view, ok, why)
  if not ok then executor:event(view, "not_synced", { why = why }) end
end

local function folder(view, ...)
  return { what = "the execution's folder", dir = view.dir, names = { ... } }
end

--- What a start has written, to be there before *go*. Suspends.
---@param executor exhost.Executor
---@param view exhost.View with its record
---@return true? ok, string? err, string? code "io", or the word of who interrupted
function durability.begun(executor, view)
  local state = executor.state
  return sync(executor, {
    folder(view, "request.json", "plan.json", "state.json"),
    { what = "executions/", dir = state.executions, names = {} },
    { what = "jobs/", dir = state.jobs, names = { view.record.job_id } },
    -- These only matter the first time, and cost next to nothing from then on.
    { what = "the executor's folder", dir = state.dir, names = {} },
    { what = "the state folder", dir = state.root, names = {} },
  })
end

--- The same of what runs already: what cannot be synced is told in the story. Suspends.
---@param executor exhost.Executor
---@param view exhost.View with its record
function durability.taken_over(executor, view)
  tell(executor, view, durability.begun(executor, view))
end

--- A file of an execution that was replaced. The execution is as it is: what cannot be synced
--- is told in its story. Suspends.
---@param executor exhost.Executor
---@param view exhost.View
---@param name string
function durability.changed(executor, view, name)
  tell(executor, view, sync(executor, { folder(view, name) }))
end

--- A removal: its phase, and that nothing holds the job. Suspends.
---@param executor exhost.Executor
---@param view exhost.View
function durability.removed(executor, view)
  tell(executor, view, sync(executor, { folder(view, "state.json"),
    { what = "jobs/", dir = executor.state.jobs, names = {} } }))
end

--- Let the shim sync what it writes at its end.
---@param executor exhost.Executor
---@param items table[] its spec, a backend's own; added to
function durability.add_items(executor, items)
  if is_full(executor) then table.insert(items, 1, { "sync", 1 }) end
end

return durability
