--- What the actions of execution.lua share: the answers that are errors, and the lock.

local common = {}

common.AGAIN = {} -- an action's answer: it moved the execution on, look at the event anew
local AGAIN = common.AGAIN
local LOCK_SECONDS = 30

function common.not_found(_, view)
  return nil, string.format("execution (%s) not found", view.id), "not_found"
end

function common.cancel_not_found(_, view)
  return nil, string.format("failed to cancel execution (%s). execution not found", view.id),
    "not_found"
end

function common.already_started()
  return nil, "execution is already started", "already_started"
end

function common.already_completed()
  return nil, "execution is already completed", "already_completed"
end

function common.too_new(_, view)
  return nil, string.format("execution %s: %s", view.id, view.why), "unsupported"
end

function common.refused(text)
  return function(_, view)
    return nil, string.format("execution (%s) %s", view.id, text), "invalid"
  end
end

local function trace(err)
  return type(err) == "table" and err or debug.traceback(tostring(err), 2)
end

--- Call fn and give the lock back, also when fn raises: nobody waits for a mistake. Suspends.
---@param lock any? nil: only call it
function common.holding(lock, fn, ...)
  if not lock then return fn(...) end
  local ok, value, err, code, data = xpcall(fn, trace, ...)
  lock:close()
  if not ok then error(value, 0) end
  return value, err, code, data
end

--- Do something while no other host starts, concludes or removes the execution. AGAIN
--- when it was removed before.
function common.locked(executor, view, verb, fn)
  local lock, err, code = executor.state:lock_execution(view, LOCK_SECONDS)
  if not lock and code == "not_found" then return AGAIN end
  local value = nil
  if lock then value, err, code = common.holding(lock, fn) end
  if value == nil then return nil, string.format("%s %s: %s", verb, view.id, err), code end
  return value
end

return common
