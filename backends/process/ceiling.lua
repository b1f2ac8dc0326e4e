--- The operator's limits on a process. It gets no devices and no host namespaces to deny: what
-- matters are its user and its limits.

local find_user = require "backends.process.user"
local system = require "exhost.system"

local AMOUNTS = { { "memory", "resources.ram.size" }, { "cores", "resources.cpu.cores" },
  { "pids", "engine_spec.params.pids" } }

--- As for containers: where the operator limits an amount, a job without a limit is above it.
local function amounts(limits, allowed)
  for _, amount in ipairs(AMOUNTS) do
    local most, asked = allowed[amount[1]], limits[amount[1]]
    if most and not (asked and asked <= most) then
      return nil, string.format("%s: %s is denied by ceiling.%s (%.14g)", amount[2],
        asked and string.format("%.14g", asked) or "no limit", amount[1], most), "denied"
    end
  end
  return true
end

--- The number of a user whom the ceiling denies; nil when nobody has that name. Suspends.
---@param entry string|number a number, also as text, or a name
local function uid_of(entry)
  local number = tonumber(entry)
  if number then return number end
  local user, err, code = find_user(tostring(entry))
  if user then return user.uid end
  if code == "ENOENT" then return nil end
  return nil, string.format("ceiling.users.deny: %s: %s", tostring(entry), err), code
end

--- Hold the body of a plan against the ceiling. Suspends.
---@param body table
---@param allowed table
---@return true? ok, string? err, string? code "denied"
return function(body, allowed)
  local own = body.uid or (system.ids())
  for _, entry in ipairs(allowed.users and allowed.users.deny or {}) do
    local uid, err, code = uid_of(entry)
    if err then return nil, err, code end
    if uid == own then
      return nil, string.format(
        "engine_spec.params.user: uid %d is denied by ceiling.users.deny", own), "denied"
    end
  end
  return amounts(body.limits, allowed)
end
