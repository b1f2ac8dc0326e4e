--- Actions on an execution that runs: what only a backend can do.

local common = require "exhost.execution.common"
local durability = require "exhost.durability"
local events = require "exhost.events"
local json = require "exhost.json"
local ledger = require "exhost.ledger"
local observe = require "exhost.observe"
local state = require "exhost.state"
local system = require "exhost.system"

local running = {}

local AGAIN = common.AGAIN

--- What it holds is written down where nobody else was given it meanwhile: the ledger may have
--- been lost.
function running.keep_gpus(executor, view)
  local names = view.record and view.record.holds_gpus
  if not names then return true end
  return ledger.keep(executor.state, view.id, names)
end

--- Pause or resume: the backend's doing, and a phase that every host reads.
function running.change_pause(verb, phase)
  local function change(executor, view)
    local now = observe.look(executor.state, view.id)
    local same = now and now.state == view.state
    if now then now:close() end
    if not same then return AGAIN end
    local ok, err, code = executor:optional(verb, view)
    if code == "not_found" then return AGAIN end -- its shim is gone: it has ended
    if not ok then return nil, err, code end
    view.record.phase = phase
    ok, err, code = state.write(view.dir, view.record)
    if not ok then return nil, err, code end
    durability.changed(executor, view, "state.json")
    executor:event(view, phase == "paused" and "paused" or "resumed", events.actor())
    return true
  end
  return function(executor, view)
    return common.locked(executor, view, verb, function() return change(executor, view) end)
  end
end

--- The operator's ceiling holds for what is given later, too.
local function within(ceiling, limits)
  for _, name in ipairs { "cores", "memory", "pids" } do
    local most = tonumber(ceiling[name])
    if most and limits[name] and limits[name] > most then
      return nil, string.format("%s = %.14g is denied by the operator's ceiling (ceiling.%s would "
        .. "allow it)", name, limits[name], name), "denied"
    end
  end
  return true
end

--- Change limits while it runs; what then holds is in the stored plan.
function running.update(executor, view, limits)
  local may, why, denied = within(executor.settings.ceiling or {}, limits)
  if not may then return nil, string.format("update %s: %s", view.id, why), denied end
  return common.locked(executor, view, "update", function()
    local ok, err, code = executor:optional("update", view, limits)
    if not ok then return nil, err, code end
    local body = state.read_json(view.dir, "plan.json") or {}
    body.limits = body.limits or {}
    for name, value in pairs(limits) do body.limits[name] = value end
    view.dir:write("plan.json", json.encode(body))
    durability.changed(executor, view, "plan.json")
    executor:event(view, "updated", limits)
    return true
  end)
end

function running.signal(executor, view, number)
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

--- Whether the backend can give a command something to read.
local function takes_stdin(executor, view)
  local backend = executor:backend(view.record and view.record.backend)
  return not backend or not backend.exec or backend.capabilities.exec_stdin
end

function running.exec(executor, view, argv, options)
  if options.stdin and not takes_stdin(executor, view) then
    system.close(options.stdin)
    return nil, string.format("exec in %s: the %s executor gives a command no stdin", view.id,
      view.record.backend), "unsupported"
  end
  local result, err, code, data = executor:optional("exec", view, argv, options)
  if result then return result end
  return nil, string.format("exec in %s: %s", view.id, err), code, data
end

function running.stats(executor, view)
  local numbers, err, code = executor:optional("stats", view)
  if numbers then return numbers end
  return nil, string.format("stats of %s: %s", view.id, err), code
end

return running
