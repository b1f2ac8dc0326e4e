--- What may happen to an execution, once: ACTIONS[state][event].
--
-- A state is what observe.lua reads from the folder. An action answers the event's value,
-- or AGAIN when it moved the execution on and the event is to be looked at anew. A field
-- that is missing in a row is an event that the state has no business with: an error in
-- this file, found by its spec.

local conclude = require "exhost.conclude"
local events = require "exhost.events"
local loop = require "exhost.loop"
local observe = require "exhost.observe"
local shim = require "exhost.shim"
local start = require "exhost.start"
local state = require "exhost.state"
local json = require "exhost.json"

local execution = {}

local AGAIN, GONE = {}, {}
local LOCK_SECONDS = 30

local function not_found(_, view)
  return nil, string.format("execution (%s) not found", view.id), "not_found"
end

local function cancel_not_found(_, view)
  return nil, string.format("failed to cancel execution (%s). execution not found", view.id),
    "not_found"
end

local function already_started()
  return nil, "execution is already started", "already_started"
end

local function already_completed()
  return nil, "execution is already completed", "already_completed"
end

local function too_new(_, view)
  return nil, string.format("execution %s: %s", view.id, view.why), "unsupported"
end

local function nothing()
  return true
end

--- Do something while no other host starts, concludes or removes the execution. AGAIN
--- when it was removed before.
local function locked(executor, view, verb, fn)
  local lock, err, code = executor.state:lock_execution(view, LOCK_SECONDS)
  if not lock and code == "not_found" then return AGAIN end
  local value = nil
  if lock then
    value, err, code = fn()
    lock:close()
  end
  if value == nil then return nil, string.format("%s %s: %s", verb, view.id, err), code end
  return value
end

--- Roll back what a dead host left; the id is free again.
local function undo(executor, view)
  return locked(executor, view, "roll back", function()
    local record = state.read(view.dir)
    if record and record.phase ~= "creating" and not conclude.never_ran(view) then
      return AGAIN -- somebody went on meanwhile
    end
    view.record = record or view.record
    local ok, err, code =
      conclude.roll_back(executor, view, "its host died before the workload ran")
    if not ok then return nil, err, code end
    return AGAIN
  end)
end

--- Bytes of this execution's output that its log files hold.
local function kept_output(view)
  local dir, from = conclude.log_dir(view), view.record and view.record.log_from or {}
  local had = {}
  for _, stream in ipairs { "stdout", "stderr" } do
    local st = dir and dir:stat(stream .. ".log")
    had[stream] = math.max((st and st.size or 0) - (from[stream] or 0), 0)
  end
  if dir and dir ~= view.dir then dir:close() end
  return had
end

--- A shim died and its workload may live on in an engine: give it another one. AGAIN when
--- that was done, else nil: there is nothing to go back to.
local function reattach(executor, view)
  local backend = view.state == "lost" and executor:backend(view.record and view.record.backend)
  if not backend or not backend.reattach or not view.record.handle then return nil end
  local value, why, kind = locked(executor, view, "reattach", function()
    local now = observe.look(executor.state, view.id)
    local still = now and now.state == "lost"
    if now then now:close() end
    if not still then return AGAIN end
    local items, err, code = backend:reattach(executor:execution(view), kept_output(view))
    if not items then
      if code == "not_found" then return GONE end
      if code ~= "never_ran" then return nil, err, code end
      local ok
      ok, err, code = conclude.roll_back(executor, view, "its shim died before the workload ran")
      if ok then return AGAIN end
      return nil, err, code
    end
    local logs
    logs, err, code = conclude.log_dir(view)
    if not logs then return nil, err, code or "io" end
    local ready
    ready, err, code = shim.start(view.dir, logs, shim.encode(items))
    if logs ~= view.dir then logs:close() end
    if not ready then return nil, err, code end
    ready:close()
    executor:event(view, "reattached")
    return AGAIN
  end)
  if value == GONE then return nil end
  return value, why, kind
end

--- The workload has ended (or its shim has): make the result, or undo if nothing ran.
local function finish(executor, view)
  local again, why, kind = reattach(executor, view)
  if again or why then return again, why, kind end
  if view.record and view.record.phase == "starting" and conclude.never_ran(view) then
    return undo(executor, view)
  end
  local ok, err, code = conclude.run(executor, view)
  if not ok then return nil, err, code end
  return AGAIN
end

--- Wait until the execution is in another state than the ones that can only be watched.
local function await_change(executor, view)
  local signal, err, code = observe.listen(view)
  if not signal then return nil, err, code end
  local value
  repeat
    local now, why, kind = observe.look(executor.state, view.id)
    if not now then
      value, err, code = nil, why, kind
      break
    end
    local same = now.state == view.state
    now:close()
    if not same then
      value = AGAIN
      break
    end
    local ok, word = signal:wait()
    if not ok then value, err, code = nil, word, word end
  until not ok
  signal:close()
  return value, err, code
end

--- Record who wants it stopped. The first one is kept; repeating is harmless. AGAIN when
--- it was removed before.
local function record_cancel(executor, view, options, by)
  local intent = events.actor()
  intent.at, intent.by = loop.timestamp(), by
  intent.signal, intent.grace = options.signal, options.grace
  local ok, err, code = view.dir:link_once("cancel", json.encode(intent))
  if code == "ENOENT" then return AGAIN end
  if not ok and code ~= "EEXIST" then
    return nil, string.format("cancel %s: %s", view.id, err), "io"
  end
  if ok then executor:event(view, by, intent) end
  options.asked = true
  return true
end

--- Signal, grace, KILL: by the shim, or by the backend where stopping is its business.
local function tell_to_stop(executor, view, options, by)
  local record = view.record or {}
  local backend, err, code = executor:backend(record.backend)
  if not backend then return nil, err, code end
  local signal = options.signal or record.stop_signal or backend.stop_signal
  local grace = options.grace or record.stop_grace or executor.settings.stop_grace
  local ok
  if backend.stop then
    ok, err, code = backend:stop(executor:execution(view), signal, grace)
  else
    ok, err, code = shim.control(view.dir,
      string.format("stop %d %.0f %s", signal or 15, grace * 1000, by))
  end
  if ok or code == "not_found" then return true end -- gone already: it has ended
  return nil, string.format("cancel %s: %s", view.id, err), code
end

--- Ask for the end, and wait for it unless the caller does not want to. While a host still
--- prepares, the wish on disk is all: that host looks for it once the phase is `starting`,
--- and we look for that phase once the wish is there, so one of us sees the other.
local function stop_and_wait(executor, view, options)
  local by = options.by or "cancel"
  local first = not options.asked
  local ok, err, code = record_cancel(executor, view, options, by)
  if ok ~= true then return ok, err, code end
  if view.state ~= "creating" then
    ok, err, code = tell_to_stop(executor, view, options, by)
    if not ok then return nil, err, code end
    options.told = true
  elseif first then
    return AGAIN
  end
  if options.wait == false then return true end
  return await_change(executor, view)
end

--- In state `stopping`: the first time through pass the wish on (it may be KILL, or a
--- shorter grace), from then on only wait.
local function stop_again(executor, view, options)
  if not options.told then return stop_and_wait(executor, view, options) end
  return await_change(executor, view)
end

--- The host that recorded a cancel may have died before it told the shim. To be told twice
--- changes nothing.
local function pass_on_cancel(executor, view)
  local intent = state.read_json(view.dir, "cancel") or {}
  return tell_to_stop(executor, view, intent, intent.by or "cancel")
end

--- A cancel that was asked for is done when there is a result; one that came too late is
--- an error.
local function cancelled_or_late(_, _, options)
  if options.asked then return true end
  return already_completed()
end

--- It was asked to stop before the workload ran, and so was rolled back.
local function gone(_, view, options)
  if options.asked then return true end
  return not_found(nil, view)
end

local function cancel_absent(executor, view, options)
  if options.asked then return gone(executor, view, options) end
  return cancel_not_found(executor, view)
end

local function conclude_then_cancel(executor, view, options)
  if view.dir:stat("cancel") then options.asked = true end
  return finish(executor, view)
end

local function give(executor, view)
  return conclude.give(executor, view)
end

local function is_expired(view)
  local at = view.record and view.record.expires_at
  if not at then
    local r = state.read_json(view.dir, "result.json")
    at = r and r.expires_at
  end
  return at ~= nil and at <= loop.time()
end

--- Delete what exhost wrote: the execution's folder, and its logs in a ResultsDir.
local function purge(executor, view)
  return locked(executor, view, "remove", function()
    local record = view.record or {}
    local backend = record.handle and executor:backend(record.backend)
    if backend then backend:remove(record.handle, executor:execution(view)) end
    executor.state:release_job(record.job_id, view.id)
    local dir = record.log_dir and conclude.log_dir(view)
    if dir then
      dir:unlink("stdout.log")
      dir:unlink("stderr.log")
      dir:close()
    end
    return executor.state:discard(view.id)
  end)
end

local function remove_locked(executor, view)
  local record = state.read(view.dir) or { phase = "running", backend = executor.default_backend }
  if record.phase == "removed" then return true end
  view.record = record
  local ok, err, code
  if record.handle then
    local backend
    backend, err, code = executor:backend(record.backend)
    if not backend then return nil, err, code end
    ok, err, code = backend:remove(record.handle, executor:execution(view))
    if not ok then return nil, err, code end
  end
  executor.state:release_job(record.job_id, view.id)
  record.phase = "removed"
  record.expires_at = loop.time() + (record.persist_logs_duration or executor.settings.retention)
  ok, err, code = state.write(view.dir, record)
  if not ok then return nil, err, code end
  executor:event(view, "removed", events.actor())
  return true
end

--- Free the job and the engine's objects; result and logs stay until they expire.
local function remove(executor, view, options)
  if options.purge then return purge(executor, view) end
  return locked(executor, view, "remove", function() return remove_locked(executor, view) end)
end

local function remove_removed(executor, view, options)
  if options.purge then return purge(executor, view) end
  return true
end

local function stop_then_remove(executor, view, options)
  options.by = "remove"
  return stop_again(executor, view, options)
end

local function purge_if_expired(executor, view)
  if is_expired(view) then return purge(executor, view) end
  return true
end

local function start_again(executor, view)
  if is_expired(view) then
    local ok, err, code = purge(executor, view)
    if not ok then return nil, err, code end
    return AGAIN
  end
  return already_completed()
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
    value, err, code = await_change(executor, view)
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

--- Pause or resume: the backend's doing, and a phase that every host reads.
local function change_pause(verb, phase)
  return function(executor, view)
    local lock, err, code = state.lock(view.dir, "lock", LOCK_SECONDS)
    if not lock then return nil, verb .. " " .. view.id .. ": " .. err, code end
    local now = observe.look(executor.state, view.id)
    local ok, changed = nil, not now or now.state ~= view.state
    if not changed then
      ok, err, code = executor:optional(verb, view)
      if ok then
        view.record.phase = phase
        ok, err, code = state.write(view.dir, view.record)
        executor:event(view, phase == "paused" and "paused" or "resumed", events.actor())
      end
    end
    if now then now:close() end
    lock:close()
    if changed then return AGAIN end
    if code == "not_found" then return AGAIN end -- its shim is gone: it has ended
    if not ok then return nil, string.format("%s %s: %s", verb, view.id, err), code end
    return true
  end
end

--- Change limits while it runs; what then holds is in the stored plan.
local function update(executor, view, limits)
  local lock, err, code = state.lock(view.dir, "lock", LOCK_SECONDS)
  if not lock then return nil, "update " .. view.id .. ": " .. err, code end
  local ok
  ok, err, code = executor:optional("update", view, limits)
  if ok then
    local body = state.read_json(view.dir, "plan.json") or {}
    body.limits = body.limits or {}
    for name, value in pairs(limits) do body.limits[name] = value end
    view.dir:write("plan.json", json.encode(body))
    executor:event(view, "updated", limits)
  end
  lock:close()
  if not ok then return nil, string.format("update %s: %s", view.id, err), code end
  return true
end

local function signal(executor, view, number)
  local ok, err, code = executor:optional("signal", view, number)
  if ok then
    local fields = events.actor()
    fields.signal = number
    executor:event(view, "signal", fields)
    return true
  end
  if code == "not_found" then return AGAIN end
  return nil, string.format("signal %s: %s", view.id, err), code
end

local function exec(executor, view, argv, options)
  local result, err, code, data = executor:optional("exec", view, argv, options)
  if result then return result end
  return nil, string.format("exec in %s: %s", view.id, err), code, data
end

local function stats(executor, view)
  local numbers, err, code = executor:optional("stats", view)
  if numbers then return numbers end
  return nil, string.format("stats of %s: %s", view.id, err), code
end

local function refused(text)
  return function(_, view)
    return nil, string.format("execution (%s) %s", view.id, text), "invalid"
  end
end

local function not_running(_, view)
  return nil, string.format("execution (%s) is not running", view.id), "already_completed"
end

local not_running_yet = refused "is not running yet"

local WHILE_RUNNING = { "pause", "resume", "signal", "exec", "stats", "update" }

local function live(row)
  row.start, row.wait = already_started, await_change
  row.recover = row.recover or nothing
  row.cancel, row.remove = row.cancel or stop_and_wait, stop_then_remove
  row.pause = row.pause or change_pause("pause", "paused")
  row.resume = row.resume or refused "is not paused"
  row.exec, row.signal = row.exec or exec, row.signal or signal
  row.stats, row.update = row.stats or stats, row.update or update
  return row
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

local unfinished = { start = finish, wait = finish, cancel = conclude_then_cancel, remove = finish,
  recover = finish, status = finish }

execution.ACTIONS = {
  absent = all(not_found, { start = create, cancel = cancel_absent, remove = gone }),
  creating = early("pending"),
  abandoned = all(undo),
  starting = early("pending"),
  running = live { status = status("running") },
  stopping = live { status = status("running"), cancel = stop_again,
    recover = pass_on_cancel, pause = refused "is being stopped",
    exec = refused "is being stopped" },
  paused = live { status = status("paused"), pause = refused "is already paused",
    resume = change_pause("resume", "running"), exec = refused "is paused: resume it first" },
  exited = ended(setmetatable({}, { __index = unfinished })),
  lost = ended(setmetatable({}, { __index = unfinished })),
  concluded = ended { start = start_again, wait = give, cancel = cancelled_or_late,
    remove = remove, recover = purge_if_expired, status = result_status },
  removed = ended { start = start_again, wait = give, cancel = cancelled_or_late,
    remove = remove_removed, recover = purge_if_expired, status = result_status },
  newer = all(too_new),
}

--- Let an event happen to an execution. Suspends.
---@param executor exhost.Executor
---@param id string
---@param event string one of EVENTS
---@param ... any the event's own arguments
---@return any value, string? err, string? code, table? data
function execution.dispatch(executor, id, event, ...)
  while true do
    local view, err, code = observe.look(executor.state, id)
    if not view then return nil, err, code end
    local action = execution.ACTIONS[view.state][event]
    local value, why, kind, data = action(executor, view, ...)
    view:close()
    if value ~= AGAIN then
      if why == nil then return value end
      return value, why, kind, data
    end
  end
end

return execution
