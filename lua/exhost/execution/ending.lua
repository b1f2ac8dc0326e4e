--- Actions on what has ended, or whose host or shim has: undo it, take it up again, conclude.

local common = require "exhost.execution.common"
local conclude = require "exhost.conclude"
local durability = require "exhost.durability"
local observe = require "exhost.observe"
local shim = require "exhost.shim"
local state = require "exhost.state"

local ending = {}

local AGAIN, GONE = common.AGAIN, {}

--- Roll back what a dead host left; the id is free again.
function ending.undo(executor, view)
  return common.locked(executor, view, "roll back", function()
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
  local value, why, kind = common.locked(executor, view, "reattach", function()
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
    durability.add_items(executor, items)
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

--- The workload has ended (or its shim has): make the result, or ending.undo if nothing ran.
function ending.finish(executor, view)
  local again, why, kind = reattach(executor, view)
  if again or why then return again, why, kind end
  if view.record and view.record.phase == "starting" and conclude.never_ran(view) then
    return ending.undo(executor, view)
  end
  local ok, err, code = conclude.run(executor, view)
  if not ok then return nil, err, code end
  return AGAIN
end

return ending
