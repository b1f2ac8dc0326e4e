--- The schema's types that hold no others: each takes a spec and a value, and answers the
--- normalised value or nil and what was expected.
local base64 = require "exhost.base64"
local json = require "exhost.json"
local text = require "exhost.text"
local units = require "exhost.units"

local scalars = {}

local MAX_WHOLE = 2 ^ 53

--- Say what a value is, for the end of a message.
---@param value any
---@return string
function scalars.describe(value)
  local kind = type(value)
  if kind == "string" then return text.quote(value) end
  if kind == "number" then
    local whole = value == math.floor(value) and math.abs(value) < 1e20
    return string.format(whole and "%.0f" or "%.14g", value)
  end
  if kind == "table" then
    return (value[1] ~= nil or json.is_array(value)) and "a list" or "an object"
  end
  if kind == "nil" then return "nothing" end
  return kind == "boolean" and tostring(value) or "a " .. kind
end

--- Refuse a value; one that is secret is not shown.
local function refuse(spec, expected, value)
  if spec.secret and type(value) == "string" then
    return nil, "expected " .. (spec.expected or expected)
  end
  return nil, string.format("expected %s, got %s", spec.expected or expected,
    scalars.describe(value))
end

--- Say whether a number is finite and exact enough to be used.
---@param value number
---@return boolean
function scalars.in_range(value)
  return value == value and value <= MAX_WHOLE and value >= -MAX_WHOLE
end

--- Name what is expected of a number, with its limits.
local function with_limits(spec, noun)
  local show = scalars.describe
  if spec.above then
    local top = spec.max and ", up to " .. show(spec.max) or ""
    return noun .. " above " .. show(spec.above) .. top
  end
  if spec.min and spec.max then
    return noun .. " from " .. show(spec.min) .. " to " .. show(spec.max)
  end
  if spec.min then return noun .. " of " .. show(spec.min) .. " or more" end
  return spec.max and noun .. " up to " .. show(spec.max) or noun
end

local function within_limits(spec, value)
  return not (spec.above and value <= spec.above or spec.min and value < spec.min
    or spec.max and value > spec.max)
end

local function check_number(spec, value, noun, whole)
  local fits = type(value) == "number" and scalars.in_range(value) and within_limits(spec, value)
  if not fits or whole and value ~= math.floor(value) then
    return refuse(spec, spec.expected or with_limits(spec, noun), value)
  end
  return value
end

function scalars.number(spec, value)
  return check_number(spec, value, "a number", false)
end

function scalars.integer(spec, value)
  return check_number(spec, value, "a whole number", true)
end

function scalars.boolean(spec, value)
  if type(value) ~= "boolean" then return refuse(spec, "true or false", value) end
  return value
end

function scalars.string(spec, value)
  if type(value) ~= "string" then return refuse(spec, "a string", value) end
  if spec.no_nul and value:find("%z") then return nil, "a NUL byte is not allowed" end
  if spec.min_length and #value < spec.min_length then
    return refuse(spec, spec.min_length == 1 and "a string that is not empty"
      or "at least " .. spec.min_length .. " bytes", value)
  end
  if spec.max_length and #value > spec.max_length then
    if spec.expected then return refuse(spec, nil, value) end
    return nil, string.format("%d bytes are above the limit of %d", #value, spec.max_length)
  end
  if spec.pattern and not value:find(spec.pattern) then
    return refuse(spec, "a match of " .. spec.pattern, value)
  end
  return value
end

--- Base64 text becomes the bytes that it stands for.
function scalars.bytes(spec, value)
  if type(value) ~= "string" then return refuse(spec, "base64 text", value) end
  return base64.decode(value)
end

--- Whole nanoseconds, as Go writes a duration, become seconds.
function scalars.duration_ns(spec, value)
  local ns, err = check_number({ min = 0, expected = spec.expected or "whole nanoseconds" },
    value, nil, true)
  if not ns then return nil, err end
  local seconds = ns / 1e9
  if not within_limits(spec, seconds) then
    return refuse(spec, with_limits(spec, "a number of seconds"), seconds)
  end
  return seconds
end

local function check_unit(spec, value, noun, read)
  if type(value) ~= "string" and type(value) ~= "number" then
    return refuse(spec, noun, value)
  end
  local amount, err = read(value)
  if not amount then return nil, err end
  if not scalars.in_range(amount) or not within_limits(spec, amount) then
    return refuse(spec, with_limits(spec, noun), value)
  end
  return amount
end

--- Text such as "1m30s" or seconds become seconds.
function scalars.duration(spec, value)
  return check_unit(spec, value, "a duration", units.duration)
end

--- Text such as "64m" or bytes become bytes.
function scalars.size(spec, value)
  return check_unit(spec, value, "a size", units.size)
end

function scalars.enum(spec, value)
  for _, known in ipairs(spec.values) do
    local same = value == known or spec.any_case and type(value) == "string"
      and type(known) == "string" and value:lower() == known:lower()
    if same then return known end
  end
  local shown = {}
  for i, known in ipairs(spec.values) do shown[i] = scalars.describe(known) end
  local last = table.remove(shown)
  local all = #shown > 0 and table.concat(shown, ", ") .. " or " .. last or last
  return refuse(spec, all, value)
end

--- The types by their names.
scalars.TYPES = {}
for _, name in ipairs {
  "string", "boolean", "integer", "number", "bytes", "duration_ns", "duration", "size", "enum",
} do
  scalars.TYPES[name] = scalars[name]
end

return scalars
