--- Actions that remove an execution, or what is left of it when it has expired.

local common = require "exhost.execution.common"
local conclude = require "exhost.conclude"
local durability = require "exhost.durability"
local events = require "exhost.events"
local loop = require "exhost.loop"
local state = require "exhost.state"
local stopping = require "exhost.execution.stopping"

local removing = {}

local AGAIN = common.AGAIN

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
  return common.locked(executor, view, "remove", function()
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
  record.expires_at = conclude.expiry(record.persist_logs_duration or executor.settings.retention)
  ok, err, code = state.write(view.dir, record)
  if not ok then return nil, err, code end
  durability.removed(executor, view)
  executor:event(view, "removed", events.actor())
  return true
end

--- Free the job and the engine's objects; result and logs stay until they expire.
function removing.remove(executor, view, options)
  if options.purge then return purge(executor, view) end
  return common.locked(executor, view, "remove", function()
    return remove_locked(executor, view)
  end)
end

function removing.remove_removed(executor, view, options)
  if options.purge then return purge(executor, view) end
  return true
end

function removing.stop_then_remove(executor, view, options)
  options.by = "remove"
  return stopping.stop_again(executor, view, options)
end

function removing.purge_if_expired(executor, view)
  if is_expired(view) then return purge(executor, view) end
  return true
end

function removing.start_again(executor, view)
  if is_expired(view) then
    local ok, err, code = purge(executor, view)
    if not ok then return nil, err, code end
    return AGAIN
  end
  return common.already_completed()
end

return removing
