--- Actions that stop an execution, and waiting for it to change.

local common = require "exhost.execution.common"
local ending = require "exhost.execution.ending"
local events = require "exhost.events"
local json = require "exhost.json"
local loop = require "exhost.loop"
local observe = require "exhost.observe"
local shim = require "exhost.shim"
local state = require "exhost.state"

local stopping = {}

local AGAIN = common.AGAIN

--- Wait until the execution is in another state than the ones that can only be watched; the
--- view is then of that one. What it holds is given back before: it may take days.
function stopping.await_change(executor, view)
  local signal, err, code = observe.listen(view)
  view:close()
  view.record = nil
  if not signal then return nil, err, code end
  local value
  repeat
    local now, why, kind = observe.look(executor.state, view.id)
    if not now then
      value, err, code = nil, why, kind
      break
    end
    if now.state ~= view.state then
      value, view.is_new = AGAIN, true
      view.state, view.dir, view.record, view.why = now.state, now.dir, now.record, now.why
      break
    end
    now:close()
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
  local grace = options.grace
    or math.min(record.stop_grace or executor.settings.stop_grace, options.most_grace or math.huge)
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
function stopping.stop_and_wait(executor, view, options)
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
  return stopping.await_change(executor, view)
end

--- In state `stopping`: the first time through pass the wish on (it may be KILL, or a
--- shorter grace), from then on only wait.
function stopping.stop_again(executor, view, options)
  if not options.told then return stopping.stop_and_wait(executor, view, options) end
  return stopping.await_change(executor, view)
end

--- The host that recorded a cancel may have died before it told the shim. To be told twice
--- changes nothing.
function stopping.pass_on_cancel(executor, view)
  local intent = state.read_json(view.dir, "cancel") or {}
  return tell_to_stop(executor, view, intent, intent.by or "cancel")
end

--- A cancel that was asked for is done when there is a result; one that came too late is
--- an error.
function stopping.cancelled_or_late(_, _, options)
  if options.asked then return true end
  return common.already_completed()
end

--- It was asked to stop before the workload ran, and so was rolled back.
function stopping.gone(_, view, options)
  if options.asked then return true end
  return common.not_found(nil, view)
end

function stopping.cancel_absent(executor, view, options)
  if options.asked then return stopping.gone(executor, view, options) end
  return common.cancel_not_found(executor, view)
end

function stopping.conclude_then_cancel(executor, view, options)
  if view.dir:stat("cancel") then options.asked = true end
  return ending.finish(executor, view)
end

return stopping
