--- What callers give to an executor's verbs, checked. Each answers the checked values, or nil,
--- err, "invalid".

local signals = require "exhost.signals"
local units = require "exhost.units"

local arguments = {}

--- Of cancel.
function arguments.stop(options)
  local checked = { wait = options.wait }
  local err
  if options.signal ~= nil then
    checked.signal, err = signals.number(options.signal)
    if not checked.signal then return nil, "signal: " .. err, "invalid" end
  end
  if options.grace ~= nil then
    checked.grace, err = units.duration(options.grace)
    if not checked.grace then return nil, "grace: " .. err, "invalid" end
  end
  return checked
end

local function check_argv(argv)
  if type(argv) ~= "table" or #argv == 0 then return "expected a list of words" end
  for i, word in ipairs(argv) do
    if type(word) ~= "string" then return string.format("word %d is no string", i) end
    if word:find("\0", 1, true) then return string.format("word %d holds a NUL", i) end
  end
  if argv[1] == "" then return "the first word is empty" end
end

--- Of exec.
---@return { timeout: number? }? checked, string? err, string? code
function arguments.exec(argv, options)
  local why, timeout = check_argv(argv), nil
  if why then return nil, "exec: " .. why, "invalid" end
  if options.timeout ~= nil then
    timeout, why = units.duration(options.timeout)
    if not timeout then return nil, "timeout: " .. why, "invalid" end
  end
  return { timeout = timeout }
end

local LIMITS = {
  memory = units.size,
  cores = function(value) return tonumber(value), "expected a number" end,
  pids = function(value) return tonumber(value), "expected a number" end,
}

--- Of update.
function arguments.limits(limits)
  local checked = {}
  for name, value in pairs(type(limits) == "table" and limits or {}) do
    if not LIMITS[name] then
      return nil, string.format("update: unknown limit %s; known are cores, memory, pids",
        tostring(name)), "invalid"
    end
    local number, err = LIMITS[name](value)
    if not number or number <= 0 or number ~= number then
      return nil, string.format("update: %s: %s", name,
        number and "expected a number above 0" or err), "invalid"
    end
    if name == "pids" then number = math.floor(number) end
    checked[name] = number
  end
  if not next(checked) then return nil, "update: no limit given", "invalid" end
  return checked
end

return arguments
