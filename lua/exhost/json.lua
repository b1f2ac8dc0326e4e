--- JSON: lua-cjson reads, an encoder of our own (bindings/lua_json.c) writes.
--- In: null is absent, of two equal keys the last wins, strings are kept as bytes. `[]` and `{}`
--- are both an empty table: the schema that knows better marks its lists (exhost.schema).
--- Out: sorted keys, exact integers, always valid UTF-8.
local cjson = require "cjson"
local core = require "exhost.json_core"
local text = require "exhost.text"

local json = {}

local MAX_DEPTH = 100
local BOM = "\239\187\191"        -- as some editors begin a file
local TOO_BIG = "the number is too big"
local HUGE = math.huge

local ARRAY = {}

--- Stands for null in what is encoded (a JSON-RPC error without an id). Never comes out of decode.
json.null = setmetatable({}, { __tostring = function() return "null" end })

local decoder

local function open_decoder()
  decoder = cjson.new()
  decoder.decode_max_depth(MAX_DEPTH)
  decoder.decode_invalid_numbers(false)
end

--- Mark a table as an array, so that it is written as `[…]` even when it is empty.
---@generic T: table
---@param t? T default: a new table
---@return T t the same table
function json.array(t)
  return setmetatable(t or {}, ARRAY)
end

--- Say whether a table is marked as an array.
---@param t any
---@return boolean
function json.is_array(t)
  return type(t) == "table" and getmetatable(t) == ARRAY
end

--- Spell the path of a value; the keys come innermost first, as a failure travels up.
---@param keys (string|integer)[]
---@return string
local function spell(keys)
  local path = ""
  for i = #keys, 1, -1 do
    local key = keys[i]
    if type(key) == "number" then
      path = path .. "[" .. key .. "]"
    elseif not key:find("^[%a_][%w_]*$") then
      path = path .. "[" .. text.quote(key) .. "]"
    else
      path = path == "" and key or path .. "." .. key
    end
  end
  return path
end

-- The number that hides: above 2^53, and read as 2^53, which is the most that is exact.
local BRINK, BRINK_DIGITS, BEYOND = 2 ^ 53, "9007199254740992", "9007199254740994"

local function beyond(token)
  local value = tonumber(token)
  if value ~= BRINK and value ~= -BRINK then return nil end
  local digits = token:gsub("[eE].*", ""):gsub("[^%d]", ""):gsub("^0+", ""):gsub("0+$", "")
  return digits ~= BRINK_DIGITS and (value < 0 and "-" or "") .. BEYOND or nil
end

--- Where the string that begins here has its closing quote.
local function string_end(source, at)
  repeat
    at = source:find('["\\]', at + 1) or #source
    local escape = source:byte(at) == 92
    if escape then at = at + 1 end
  until not escape or at >= #source
  return at
end

--- The same text, with gsub(pattern, with) done outside of its strings.
local function outside_strings(source, pattern, with)
  local parts, at = {}, 1
  while at <= #source do
    local first, last = source:find('^[^"]+', at)
    if first then
      parts[#parts + 1] = source:sub(first, last):gsub(pattern, with)
    else
      first, last = at, string_end(source, at)
      parts[#parts + 1] = source:sub(first, last)
    end
    at = last + 1
  end
  return table.concat(parts)
end

--- The same text, with the next number that a double can hold in place of those just above 2^53:
--- whoever holds numbers to 2^53 sees that they are more.
local function unhide(source)
  return outside_strings(source, "%-?%d[%d.eE+-]*", beyond)
end

local encode, tidy, is_plain = core.open(ARRAY, json.null)

--- Make it what cjson reads as we do.
---@return string? source, string? err
local function plain(source)
  if source:find("%z") then return nil, "not JSON: a NUL byte in the text" end
  if source:sub(1, 3) == BOM then source = source:sub(4) end
  if source:find("007199254740993", 1, true) or source:find("9007199254740992.", 1, true) then
    source = unhide(source)
  end
  return source
end

--- Read one JSON value.
---@param source string
---@param null_of string? a member of the object that stays, as json.null, when it is null
---@return any value, string? err
function json.decode(source, null_of)
  if type(source) ~= "string" then error("json.decode: expected a string", 2) end
  local err
  if not is_plain(source) then source, err = plain(source) end
  if not source then return nil, err end
  if not decoder then open_decoder() end
  local null = decoder.null
  local ok, value = pcall(decoder.decode, source)
  if not ok then
    return nil, "not JSON: " .. tostring(value):gsub("^[^:]*:%d+: ", ""):gsub("^%u%l", string.lower)
  end
  if value == null then return nil, "expected a value, got null" end
  if value == HUGE or value == -HUGE then return nil, TOO_BIG end
  if type(value) == "table" then
    local stays = null_of and value[null_of] == null
    local why, keys = tidy(value)
    if why then return nil, spell(keys) .. ": " .. why end
    if stays then value[null_of] = json.null end
  end
  return value
end

-- Stands in an empty array while cjson reads, and in no text by chance.
local EMPTY

--- Empty them again, marked as arrays.
local function drain(value)
  if type(value) ~= "table" then return value end
  if value[1] == EMPTY then return json.array {} end
  for key, item in pairs(value) do value[key] = drain(item) end
  return value
end

--- As `decode`, for what is written again: empty arrays are marked, so that they stay arrays.
---@param source string
---@return any value, string? err
function json.decode_marked(source)
  if not source:find("%[%s*%]") then return json.decode(source) end
  EMPTY = EMPTY or require("exhost.system").random_hex(16)
  local filled = outside_strings(source, "%[%s*%]", '["' .. EMPTY .. '"]')
  local value, err = json.decode(filled)
  if value == nil then return nil, err end
  return drain(value)
end

local function written(encoded, why, keys)
  if encoded then return encoded end
  return nil, "cannot encode " .. (keys and spell(keys) or "the value") .. ": " .. why
end

--- Write one value as JSON. A sequence 1..n is an array; an empty table is an object unless it is
--- marked with `json.array`.
---@param value any
---@param options? { indent?: boolean }
---@return string? encoded, string? err
function json.encode(value, options)
  return written(encode(value, options and options.indent))
end

--- Write a value for a reader that is our own cjson: strings keep any bytes, which may not be JSON.
---@param value any
---@return string? encoded, string? err
function json.encode_raw(value)
  return written(encode(value, false, true))
end

return json
