--- One engine for requests, settings and backends' parameters: a schema is data that
-- validates, normalises and documents.
--
-- A field: { type, names = {aliases}, required, default, check, doc, … }. Canonical names
-- are snake_case. Types are in TYPES; each takes (field, value, path, run) and answers
-- the normalised value, or nil, message.

local base64 = require "exhost.base64"
local json = require "exhost.json"
local units = require "exhost.units"

local schema = {}

local EXACT = 2 ^ 53 -- beyond it a double is not a whole number any more

local function show(value)
  if type(value) == "string" then
    return string.format("%q", #value > 40 and value:sub(1, 40) .. "…" or value)
  end
  if type(value) == "number" then return string.format("%.17g", value) end
  if type(value) == "table" then return "a table" end
  return tostring(value)
end

local function expected(path, what, value)
  return nil, string.format("%s: expected %s, got %s", path, what, show(value))
end

local TYPES = {}
schema.TYPES = TYPES

function TYPES.any(_, value) return value end

function TYPES.string(field, value, path)
  if type(value) ~= "string" then return expected(path, "a string", value) end
  if field.no_nul ~= false and value:find("\0", 1, true) then
    return nil, path .. ": must not contain a NUL byte"
  end
  if field.not_empty and value == "" then return expected(path, "a non-empty string", value) end
  if field.max_length and #value > field.max_length then
    return nil, string.format("%s: is %d bytes long, the limit is %d", path, #value,
      field.max_length)
  end
  if field.pattern and not value:find(field.pattern) then
    return expected(path, field.what or "text like " .. field.pattern, value)
  end
  return value
end

function TYPES.boolean(_, value, path)
  if type(value) ~= "boolean" then return expected(path, "true or false", value) end
  return value
end

local function bounds(field)
  if field.above then return "a number above " .. field.above end
  local what = field.type == "integer" and "a whole number" or "a number"
  if field.min and field.max then
    return string.format("%s from %.0f to %.0f", what, field.min, field.max)
  end
  if field.min then return string.format("%s of %.0f or more", what, field.min) end
  return what
end

function TYPES.number(field, value, path)
  if type(value) ~= "number" or value ~= value or math.abs(value) > EXACT then
    if type(value) == "number" then
      return nil, string.format("%s: %.17g is beyond 2^53 and would lose digits", path, value)
    end
    return expected(path, bounds(field), value)
  end
  local bad = (field.above and value <= field.above) or (field.min and value < field.min)
    or (field.max and value > field.max) or (field.type == "integer" and value ~= math.floor(value))
  if bad then return expected(path, bounds(field), value) end
  return value
end

TYPES.integer = TYPES.number

function TYPES.bytes(_, value, path)
  if type(value) ~= "string" then return expected(path, "base64 text", value) end
  local bytes, err = base64.decode(value)
  if not bytes then return nil, string.format("%s: not base64: %s", path, err) end
  return bytes
end

--- Nanoseconds, as Go marshals a time.Duration; seconds in Lua.
function TYPES.duration_ns(_, value, path)
  local ns, err = TYPES.number({ type = "integer", min = 0 }, value, path)
  if not ns then return nil, err end
  return ns / 1e9
end

function TYPES.duration(_, value, path)
  local seconds, err = units.duration(value)
  if not seconds then return nil, path .. ": " .. err end
  return seconds
end

function TYPES.size(_, value, path)
  local bytes, err = units.size(value)
  if not bytes then return nil, path .. ": " .. err end
  return bytes
end

function TYPES.enum(field, value, path)
  local text = type(value) == "string" and (field.any_case and value:lower() or value)
  for _, word in ipairs(field.values) do
    if text == (field.any_case and word:lower() or word) then return word end
  end
  return expected(path, "one of " .. table.concat(field.values, ", "), value)
end

function TYPES.list(field, value, path, run)
  if type(value) ~= "table" then return expected(path, "a list", value) end
  local count, out = 0, json.array {}
  for _ in pairs(value) do count = count + 1 end
  if count ~= #value then return nil, path .. ": expected a list, got an object" end
  for i = 1, #value do
    local item, err = run.value(field.of, value[i], string.format("%s[%d]", path, i))
    if err then return nil, err end
    out[i] = item
  end
  return out
end

function TYPES.map(field, value, path, run)
  if type(value) ~= "table" then return expected(path, "an object", value) end
  local out = {}
  for key, item in pairs(value) do
    if type(key) ~= "string" then return nil, path .. ": expected an object, got a list" end
    if field.key and not key:find(field.key) then
      return nil, string.format("%s: %q is not a valid name", path, key)
    end
    local err
    out[key], err = run.value(field.of, item, path .. "." .. key)
    if err then return nil, err end
  end
  return out
end

local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local previous = row[0]
    row[0] = i
    for j = 1, #b do
      local kept = row[j]
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(row[j] + 1, row[j - 1] + 1, previous + cost)
      previous = kept
    end
  end
  return row[#b]
end

--- The known name that a misspelt one is nearest to.
function schema.suggest(name, known)
  local best, nearest = nil, math.max(2, math.floor(#name / 3)) + 1
  table.sort(known)
  for _, candidate in ipairs(known) do
    local d = distance(name:lower(), candidate:lower())
    if d < nearest then best, nearest = candidate, d end
  end
  return best
end

local function unknown(key, field, path, run)
  local known = {}
  for name in pairs(field.fields) do known[#known + 1] = name end
  local near = schema.suggest(tostring(key), known)
  local at = (path ~= "" and path .. "." or "") .. tostring(key)
  local message = string.format("%s: unknown field%s", at,
    near and string.format(" (did you mean %q?)", near) or "")
  if not (run.lenient or run.warn_unknown) then return message end
  run.warnings[#run.warnings + 1] = message .. ", ignored"
end

--- Every spelling of every field, made once a schema.
local function spellings(field)
  if not field.spellings then
    field.spellings = {}
    for name, sub in pairs(field.fields) do
      field.spellings[name] = name
      for _, alias in ipairs(sub.names or {}) do field.spellings[alias] = name end
    end
  end
  return field.spellings
end

--- Values by canonical name.
local function gather(field, value, path, run)
  local given, names = {}, spellings(field)
  for key, item in pairs(value) do
    local name = names[key]
    if not name then
      local err = unknown(key, field, path, run)
      if err then return nil, err end
    elseif given[name] ~= nil then
      return nil, string.format("%s: given twice, in two spellings",
        (path ~= "" and path .. "." or "") .. name)
    else
      given[name] = item
    end
  end
  return given
end

function TYPES.record(field, value, path, run)
  if type(value) ~= "table" then
    return expected(path ~= "" and path or "request", "an object", value)
  end
  local before = run.warn_unknown
  run.warn_unknown = before or field.unknown == "warn"
  local given, err = gather(field, value, path, run)
  local out = {}
  if given then
    for name, sub in pairs(field.fields) do
      local at = path ~= "" and path .. "." .. name or name
      if given[name] == nil and sub.required then
        err = at .. ": is required"
      elseif given[name] ~= nil then
        local problem
        out[name], problem = run.value(sub, given[name], at)
        err = err or problem
      elseif sub.default ~= nil then
        out[name] = type(sub.default) == "function" and sub.default() or sub.default
      end
    end
  end
  run.warn_unknown = before
  if err then return nil, err end
  return out
end

local function runner(options)
  local run = { lenient = options.lenient, warnings = {} }
  function run.value(field, value, path)
    local normal, err = TYPES[field.type](field, value, path, run)
    if normal == nil then return nil, err end
    if field.check then
      local checked, why = field.check(normal, run.warnings, path)
      if checked == nil then
        return nil, why:sub(1, 1) == "@" and why:sub(2) or path .. ": " .. why
      end
      normal = checked
    end
    return normal
  end
  return run
end

--- Validate and normalise. A field's `check(value, warnings, path)` answers the value, or
--- nil and why; a text that begins with "@" brings its own path.
---@param field table the schema
---@param value any
---@param options? { path: string, lenient: boolean }
---@return any value, string[]|string warnings_or_message, string? code "invalid"
function schema.check(field, value, options)
  options = options or {}
  local run = runner(options)
  local normal, err = run.value(field, value, options.path or "")
  if normal == nil then return nil, err, "invalid" end
  return normal, run.warnings
end

--- One line of documentation a field.
---@return string[]
function schema.describe(field, path, lines)
  lines, path = lines or {}, path or ""
  local names = {}
  for name in pairs(field.fields or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local sub = field.fields[name]
    local at = path ~= "" and path .. "." .. name or name
    lines[#lines + 1] = string.format("%s (%s)%s", at, sub.type, sub.doc and ": " .. sub.doc or "")
    schema.describe(sub.of or sub, at .. (sub.of and "[]" or ""), lines)
  end
  return lines
end

return schema
