--- One engine for requests and settings: a schema is data, and the answer is a fresh table with
--- canonical names, defaults and marked lists.
---
---   { type = "record", fields = { job_id = { type = "string", names = { "JobID" } } } }
---
--- Every spec may have `names` (other spellings of a field), `required`, `default` (checked like a
--- value), `absent` (a value that stands for none: Go writes "" and 0), `check` (a function of
--- the value and of `warn`, that answers a value, or nil and why) and `doc`.
--- Strings have `pattern`, `min_length`, `max_length`, `no_nul`, `secret`; numbers, durations and
--- sizes `min`, `max`, `above`; enums `values`, `any_case`; lists `of` and `all` (the
--- word "all" may stand in their place); maps `of` and `key`;
--- records `fields` and `unknown`. `expected` says in words what is wanted.
local json = require "exhost.json"
local scalars = require "exhost.schema.scalars"
local suggest = require "exhost.schema.suggest"
local text = require "exhost.text"
local sorted_keys = require "exhost.sorted_keys"

local schema = {}

local MAX_DEPTH = 100

local CONTAINERS, spellings = {}, setmetatable({}, { __mode = "k" })

local check

local function at(path, key)
  if type(key) == "number" then return path .. "[" .. key .. "]" end
  if not key:find("^[%a_][%w_]*$") then
    return path .. "[" .. text.quote(key) .. "]"
  end
  return path == "" and key or path .. "." .. key
end

local function placed(path, why)
  return path == "" and why or path .. ": " .. why
end

local function is_list(value)
  if type(value) ~= "table" then return false end
  local count = 0
  for key in pairs(value) do
    if type(key) ~= "number" then return false end
    count = count + 1
  end
  return count == #value
end

local function is_object(value)
  if type(value) ~= "table" then return false end
  for key in pairs(value) do
    if type(key) ~= "string" then return false end
  end
  return true
end

-- Each answers the normalised value, or nil and a message that begins with its path.
function CONTAINERS.list(spec, value, path, state)
  if spec.all and value == "all" then return value end
  if not is_list(value) then
    return nil, placed(path, string.format("expected a list%s, got %s",
      spec.all and ' or "all"' or "", scalars.describe(value)))
  end
  local list = json.array {}
  for i, item in ipairs(value) do
    local kept, err = check(spec.of, item, at(path, i), state)
    if err then return nil, err end
    list[#list + 1] = kept
  end
  return list
end

local function expect_object(value, path)
  if is_object(value) then return true end
  return nil, placed(path, "expected an object, got " .. scalars.describe(value))
end

function CONTAINERS.map(spec, value, path, state)
  local ok, problem = expect_object(value, path)
  if not ok then return nil, problem end
  local map = {}
  for _, key in ipairs(sorted_keys(value)) do
    if spec.key then
      local name, why = scalars.string(spec.key, key)
      if not name then return nil, placed(path, why) end
    end
    local kept, err = check(spec.of, value[key], at(path, key), state)
    if err then return nil, err end
    map[key] = kept
  end
  return map
end

--- All spellings of a record's fields: to the canonical name, and as a list.
local function spellings_of(fields)
  local known = spellings[fields]
  if known then return known end
  known = { canonical = {}, all = {}, order = sorted_keys(fields) }
  for name, field in pairs(fields) do
    known.canonical[name] = name
    for _, alias in ipairs(field.names or {}) do known.canonical[alias] = name end
  end
  known.all = sorted_keys(known.canonical)
  spellings[fields] = known
  return known
end

local function unknown_field(path, key, known)
  local meant = suggest.nearest(key, known.all)
  local hint = meant and string.format(" (did you mean %q?)", meant) or ""
  if path == "" then return "unknown field " .. text.quote(key) .. hint end
  return at(path, key) .. ": unknown field" .. hint
end

--- Find which field each key of a record means.
---@return table<string, string>? spelling by canonical name, string? err
local function assign(spec, value, path, state)
  local known, spelling = spellings_of(spec.fields), {}
  for _, key in ipairs(sorted_keys(value)) do
    local name = known.canonical[key]
    if not name then
      local why = unknown_field(path, key, known)
      if not state.lenient and spec.unknown ~= "warn" then return nil, why end
      state.warnings[#state.warnings + 1] = why
    elseif spelling[name] then
      return nil, placed(at(path, name),
        string.format("given twice, as %q and as %q", spelling[name], key))
    else
      spelling[name] = key
    end
  end
  return spelling, nil, known
end

function CONTAINERS.record(spec, value, path, state)
  local ok, problem = expect_object(value, path)
  if not ok then return nil, problem end
  local spelling, err, known = assign(spec, value, path, state)
  if not spelling then return nil, err end
  local record = {}
  for _, name in ipairs(known.order) do
    local given = nil
    if spelling[name] then given = value[spelling[name]] end
    record[name], err = check(spec.fields[name], given, at(path, name), state)
    if err then return nil, err end
  end
  return record
end

--- Data of any shape: copied, its numbers checked.
local function check_any(value, path, depth)
  local kind = type(value)
  if kind == "number" and not scalars.in_range(value) then
    return nil, placed(path, "expected a number up to 2^53, got " .. scalars.describe(value))
  end
  if kind == "string" or kind == "number" or kind == "boolean" then return value end
  local list = kind == "table" and is_list(value)
  if not list and not is_object(value) then
    return nil, placed(path, "expected data, got " .. scalars.describe(value))
  end
  if depth >= MAX_DEPTH then return nil, placed(path, "nested too deeply") end
  local marked = list and (value[1] ~= nil or json.is_array(value))
  local copy = marked and json.array {} or {}
  for key, item in pairs(value) do
    local kept, err = check_any(item, at(path, key), depth + 1)
    if err then return nil, err end
    copy[key] = kept
  end
  return copy
end

function CONTAINERS.any(_, value, path)
  return check_any(value, path, 0)
end

local function convert(spec, value, path, state)
  local container = CONTAINERS[spec.type]
  if container then return container(spec, value, path, state) end
  local scalar = scalars.TYPES[spec.type]
  if not scalar then error("schema: unknown type " .. tostring(spec.type), 0) end
  local kept, why = scalar(spec, value)
  if kept == nil then return nil, placed(path, why) end
  return kept
end

--- Check one value; nil without an error means that there is none.
---@return any value, string? err
function check(spec, value, path, state)
  if value == nil or spec.absent ~= nil and value == spec.absent then value = spec.default end
  if value == nil then
    if spec.required then return nil, placed(path, "required, but not given") end
    return nil
  end
  local kept, err = convert(spec, value, path, state)
  if err then return nil, err end
  if spec.absent ~= nil and kept == spec.absent then return nil end
  if not spec.check then return kept end
  local function warn(why)
    state.warnings[#state.warnings + 1] = placed(path, why)
  end
  local result, why = spec.check(kept, warn)
  if result == nil then return nil, placed(path, why) end
  return result
end

--- Check a value against a schema.
---@param spec table
---@param value any
---@param opts? { path?: string, lenient?: boolean } where the value lies; unknown fields only warn
---@return any value
---@return string[]|string warnings or, after nil, what is wrong
---@return string? code "invalid"
function schema.check(spec, value, opts)
  local state = { warnings = json.array {}, lenient = opts and opts.lenient }
  local path = opts and opts.path or ""
  if value == nil and spec.default == nil then
    return nil, placed(path, "required, but not given"), "invalid"
  end
  local kept, err = check(spec, value, path, state)
  if kept == nil then return nil, err or placed(path, "required, but not given"), "invalid" end
  return kept, state.warnings
end

return schema
