--- What may happen to an execution, once: ACTIONS[state][event].
--
-- A state is what observe.lua reads from the folder. An action answers the event's value,
-- or AGAIN when it moved the execution on and the event is to be looked at anew. A field
-- that is missing in a row is an event that the state has no business with: an error in
-- this file, found by its spec. Actions lie in execution/, by what they do.

local common = require "exhost.execution.common"
local conclude = require "exhost.conclude"
local ending = require "exhost.execution.ending"
local observe = require "exhost.observe"
local removing = require "exhost.execution.removing"
local running = require "exhost.execution.running"
local start = require "exhost.start"
local state = require "exhost.state"
local stopping = require "exhost.execution.stopping"

local execution = {}

local AGAIN = common.AGAIN
local refused = common.refused

local function give(executor, view)
  return conclude.give(executor, view)
end

local function create(executor, view, plan)
  local job = plan.request.job_id
  local holder = executor.state:job_holder(job)
  if holder and holder ~= view.id then return execution.adopt(executor, view.id, job, holder) end
  local id, err, code, data = start.run(executor, plan)
  if code == "already_started" then return AGAIN end -- another host took the id or the job
  return id, err, code, data
end

--- A new execution id for a job that another one holds: a DMS that restarted. What runs
--- or has ended under the job answers to the new id as well; it never runs twice.
function execution.adopt(executor, id, job, holder)
  local ok, err, code = execution.dispatch(executor, holder, "recover")
  if not ok and code ~= "not_found" then return nil, err, code end
  if executor.state:job_holder(job) ~= holder then return AGAIN end
  local view
  view, err, code = observe.look(executor.state, holder)
  if not view then return nil, err, code end
  local value = AGAIN
  if view.state == "creating" or view.state == "starting" then
    value, err, code = stopping.await_change(executor, view)
  elseif view.state ~= "absent" then
    ok, err, code = executor.state:add_alias(id, holder)
    if ok then
      value = id
      executor:event(view, "adopted", { as = id })
    elseif ok == nil then
      value = nil
    end
  end
  view:close()
  return value, err, code
end

local function status(name)
  return function() return name end
end

local function result_status(_, view)
  local r = state.read_json(view.dir, "result.json")
  return require("exhost.result").status(r or { reason = "lost" })
end

local function not_running(_, view)
  return nil, string.format("execution (%s) is not running", view.id), "already_completed"
end

local not_running_yet = refused "is not running yet"

local WHILE_RUNNING = { "pause", "resume", "signal", "exec", "stats", "update" }

local function live(row)
  row.start, row.wait = common.already_started, stopping.await_change
  row.recover = row.recover or running.keep_gpus
  row.cancel, row.remove = row.cancel or stopping.stop_and_wait, removing.stop_then_remove
  row.pause = row.pause or running.change_pause("pause", "paused")
  row.resume = row.resume or refused "is not paused"
  row.exec, row.signal = row.exec or running.exec, row.signal or running.signal
  row.stats, row.update = row.stats or running.stats, row.update or running.update
  return row
end

local function still_stopping(executor, view)
  running.keep_gpus(executor, view)
  return stopping.pass_on_cancel(executor, view)
end

local function early(name)
  local row = live { status = status(name) }
  for _, verb in ipairs(WHILE_RUNNING) do
    row[verb] = not_running_yet
  end
  return row
end

local function ended(row)
  for _, verb in ipairs(WHILE_RUNNING) do
    row[verb] = row[verb] or not_running
  end
  return row
end

local function all(fn, row)
  row = row or {}
  for _, event in ipairs(execution.EVENTS) do row[event] = row[event] or fn end
  return row
end

execution.EVENTS = { "start", "wait", "cancel", "remove", "recover", "status", "pause", "resume",
  "signal", "exec", "stats", "update" }

local unfinished = { start = ending.finish, wait = ending.finish,
  cancel = stopping.conclude_then_cancel, remove = ending.finish, recover = ending.finish,
  status = ending.finish }

execution.ACTIONS = {
  absent = all(common.not_found, { start = create, cancel = stopping.cancel_absent,
    remove = stopping.gone }),
  creating = early("pending"),
  abandoned = all(ending.undo),
  starting = early("pending"),
  running = live { status = status("running") },
  stopping = live { status = status("running"), cancel = stopping.stop_again,
    recover = still_stopping, pause = refused "is being stopped",
    exec = refused "is being stopped" },
  paused = live { status = status("paused"), pause = refused "is already paused",
    resume = running.change_pause("resume", "running"),
    exec = refused "is paused: resume it first" },
  exited = ended(setmetatable({}, { __index = unfinished })),
  lost = ended(setmetatable({}, { __index = unfinished })),
  concluded = ended { start = removing.start_again, wait = give,
    cancel = stopping.cancelled_or_late, remove = removing.remove,
    recover = removing.purge_if_expired, status = result_status },
  removed = ended { start = removing.start_again, wait = give,
    cancel = stopping.cancelled_or_late, remove = removing.remove_removed,
    recover = removing.purge_if_expired, status = result_status },
  newer = all(common.too_new),
}

--- Let an event happen to an execution. Suspends.
---@param executor exhost.Executor
---@param id string
---@param event string one of EVENTS
---@param ... any the event's own arguments
---@return any value, string? err, string? code, table? data
function execution.dispatch(executor, id, event, ...)
  local view, err, code
  while true do
    if not view then view, err, code = observe.look(executor.state, id) end
    if not view then return nil, err, code end
    local action = execution.ACTIONS[view.state][event]
    local value, why, kind, data = action(executor, view, ...)
    if value == AGAIN and view.is_new then
      view.is_new = nil -- the action itself has just looked
    else
      view:close()
      view = nil
    end
    if value ~= AGAIN then
      if why == nil then return value end
      return value, why, kind, data
    end
  end
end

return execution
