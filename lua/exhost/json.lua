--- JSON: lua-cjson reads, an encoder of our own writes.
--- In: null is absent, of two equal keys the last wins, strings are kept as bytes. `[]` and `{}`
--- are both an empty table: the schema that knows better marks its lists (exhost.schema).
--- Out: sorted keys, exact integers, always valid UTF-8.
local cjson = require "cjson"
local text = require "exhost.text"

local json = {}

local MAX_DEPTH = 100
local MAX_WHOLE = 2 ^ 64           -- whole numbers below this are written in digits
local RAW_DIGITS = 14              -- of a number that cjson keeps

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

local tidy

--- Check one item of a decoded table.
---@return string? why, (string|integer)[]? keys
local function tidy_item(item, key, null)
  if type(item) == "table" then
    local why, keys = tidy(item, null)
    if why then keys[#keys + 1] = key end
    return why, keys
  end
  if item == HUGE or item == -HUGE then return TOO_BIG, { key } end
  return nil
end

--- Drop nulls and mark arrays, in place.
---@return string? why, (string|integer)[]? keys
function tidy(value, null)
  if value[1] ~= nil then
    for i = 1, #value do
      if value[i] == null then return "null in an array", { i } end
      local why, keys = tidy_item(value[i], i, null)
      if why then return why, keys end
    end
    setmetatable(value, ARRAY)
    return nil
  end
  for key, item in pairs(value) do
    if item == null then
      value[key] = nil
    else
      local why, keys = tidy_item(item, key, null)
      if why then return why, keys end
    end
  end
  return nil
end

-- The number that hides: above 2^53, and read as 2^53, which is the most that is exact.
local BRINK, BRINK_DIGITS, BEYOND = 2 ^ 53, "9007199254740992", "9007199254740994"

local function beyond(token)
  local value = tonumber(token)
  if value ~= BRINK and value ~= -BRINK then return nil end
  local digits = token:gsub("[eE].*", ""):gsub("[^%d]", ""):gsub("^0+", ""):gsub("0+$", "")
  return digits ~= BRINK_DIGITS and (value < 0 and "-" or "") .. BEYOND or nil
end

--- The same text, with the next number that a double can hold in place of those just above 2^53:
--- whoever holds numbers to 2^53 sees that they are more.
local function unhide(source)
  local parts, at = {}, 1
  while at <= #source do
    local first, last = source:find('^[^"]+', at)
    if first then
      parts[#parts + 1] = source:sub(first, last):gsub("%-?%d[%d.eE+-]*", beyond)
    else -- a string, up to its closing quote
      first, last = at, at
      repeat
        last = source:find('["\\]', last + 1) or #source
        local escape = source:byte(last) == 92
        if escape then last = last + 1 end
      until not escape or last >= #source
      parts[#parts + 1] = source:sub(first, last)
    end
    at = last + 1
  end
  return table.concat(parts)
end

--- Read one JSON value.
---@param source string
---@param null_of string? a member of the object that stays, as json.null, when it is null
---@return any value, string? err
function json.decode(source, null_of)
  if type(source) ~= "string" then error("json.decode: expected a string", 2) end
  if source:find("%z") then return nil, "not JSON: a NUL byte in the text" end
  if source:sub(1, 3) == BOM then source = source:sub(4) end
  if not decoder then open_decoder() end
  local null = decoder.null
  if source:find("007199254740993", 1, true) or source:find("9007199254740992.", 1, true) then
    source = unhide(source)
  end
  local ok, value = pcall(decoder.decode, source)
  if not ok then
    return nil, "not JSON: " .. tostring(value):gsub("^[^:]*:%d+: ", ""):gsub("^%u%l", string.lower)
  end
  if value == null then return nil, "expected a value, got null" end
  if value == HUGE or value == -HUGE then return nil, TOO_BIG end
  if type(value) == "table" then
    local stays = null_of and value[null_of] == null
    local why, keys = tidy(value, null)
    if why then return nil, spell(keys) .. ": " .. why end
    if stays then value[null_of] = json.null end
  end
  return value
end

--- Write a finite number: whole ones in digits, others in the shortest form that reads back equal.
---@param x number
---@return string
local function number(x)
  if x == math.floor(x) and x > -MAX_WHOLE and x < MAX_WHOLE then
    return x == 0 and "0" or string.format("%.0f", x)
  end
  for precision = 14, 16 do
    local s = string.format("%." .. precision .. "g", x)
    if tonumber(s) == x then return s end
  end
  return string.format("%.17g", x)
end

local ESCAPES = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
  ["\t"] = "\\t", ["\127"] = "\\u007f",
}

for code = 0, 31 do
  local c = string.char(code)
  ESCAPES[c] = ESCAPES[c] or string.format("\\u%04x", code)
end

local function quoted(s)
  if not s:find('[^ !#-Z%[%]^-~]') then return '"' .. s .. '"' end -- plain ASCII
  s = text.clean(s)
  if s:find('[%z\1-\31\127"\\]') then s = s:gsub('[%z\1-\31\127"\\]', ESCAPES) end
  return '"' .. s .. '"'
end

local MOST_NAMES, names, name_count = 1024, {}, 0

--- A key as it is written. Records have few names, again and again.
local function name_of(key)
  local text_of = names[key]
  if text_of then return text_of end
  text_of = quoted(key) .. ":"
  if name_count < MOST_NAMES and #key <= 64 then
    names[key], name_count = text_of, name_count + 1
  end
  return text_of
end

--- Tell an array from an object; answers its length or its sorted keys.
local function classify(t)
  local marked = getmetatable(t) == ARRAY
  local count, keys = 0, {}
  for key in pairs(t) do
    if type(key) == "string" then
      keys[#keys + 1] = key
    elseif type(key) ~= "number" then
      return nil, nil, "a key is a " .. type(key)
    end
    count = count + 1
  end
  if #keys == count and not (marked and count == 0) then
    if marked then return nil, nil, "an array has the key " .. text.quote(keys[1]) end
    if count > 1 then table.sort(keys) end
    return nil, keys
  end
  if #keys > 0 then return nil, nil, "a table is both array and object" end
  for i = 1, count do
    if t[i] == nil then return nil, nil, "an array has holes" end
  end
  return count
end

local write

--- Write the items of an array (`keys` is nil) or of an object.
---@return string? why, (string|integer)[]? keys
local function write_items(out, t, count, keys, state)
  local line = state.indent and "\n" .. string.rep("  ", state.depth)
  for i = 1, count do
    local key = keys and keys[i] or i
    if i > 1 then out[#out + 1] = "," end
    if line then out[#out + 1] = line end
    if keys then out[#out + 1] = name_of(key) end
    if keys and line then out[#out + 1] = " " end
    local why, at = write(out, t[key], state)
    if why then
      at[#at + 1] = key
      return why, at
    end
  end
  return nil
end

local function write_table(out, t, state)
  if state.active[t] then return "a table contains itself", {} end
  if state.depth >= MAX_DEPTH then return "nested too deeply", {} end
  local count, keys, bad = classify(t)
  if bad then return bad, {} end
  count = count or #keys
  out[#out + 1] = keys and "{" or "["
  if count > 0 then
    state.active[t] = true
    state.depth = state.depth + 1
    local why, at = write_items(out, t, count, keys, state)
    if why then return why, at end
    state.depth = state.depth - 1
    state.active[t] = nil
    if state.indent then out[#out + 1] = "\n" .. string.rep("  ", state.depth) end
  end
  out[#out + 1] = keys and "}" or "]"
  return nil
end

--- Append one value; answers the reason and the keys that lead to what cannot be written.
---@return string? why, (string|integer)[]? keys
function write(out, value, state)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = quoted(value)
  elseif kind == "number" then
    if value ~= value or value == HUGE or value == -HUGE then return "not a finite number", {} end
    out[#out + 1] = number(value)
  elseif kind == "boolean" then
    out[#out + 1] = tostring(value)
  elseif value == json.null then
    out[#out + 1] = "null"
  elseif kind == "table" then
    return write_table(out, value, state)
  else
    return "a " .. kind .. " has no JSON form", {}
  end
  return nil
end

local active = {} -- empty between two calls: making one costs as much as a small answer

--- Write one value as JSON. A sequence 1..n is an array; an empty table is an object unless it is
--- marked with `json.array`.
---@param value any
---@param options? { indent?: boolean }
---@return string? encoded, string? err
function json.encode(value, options)
  local out = {}
  local state = { active = active, depth = 0, indent = options and options.indent }
  local why, keys = write(out, value, state)
  if why then
    active = {}
    return nil, "cannot encode " .. (#keys == 0 and "the value" or spell(keys)) .. ": " .. why
  end
  return table.concat(out)
end

--- Whether cjson writes all numbers in it as they are.
local function is_exact(value)
  if type(value) == "number" then
    return math.abs(value) < 10 ^ RAW_DIGITS and value % 1 == 0
      or tonumber(string.format("%.14g", value)) == value
  elseif type(value) == "table" then
    for _, item in pairs(value) do
      if not is_exact(item) then return false end
    end
  end
  return true
end

--- Write a value for a reader that is our own cjson: strings keep any bytes, keys come in any
--- order, an empty list is `{}`. Some five times as fast as `encode`, which takes over where
--- cjson would not keep a number.
---@param value any
---@return string? encoded, string? err
function json.encode_raw(value)
  if is_exact(value) then
    local ok, encoded = pcall(cjson.encode, value)
    if ok then return encoded end
  end
  return json.encode(value)
end

return json
