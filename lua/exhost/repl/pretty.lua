--- Values as people read them: sorted, bounded, safe for cycles, without running code (no
--- metamethod is called).

local MOST_ITEMS, MOST_DEPTH, MOST_STRING, MOST_TEXT = 60, 6, 400, 16 * 1024
local MOST_SORTED = 2000 -- of a bigger table these are sorted, and the rest is counted
local WIDTH = 76

local RANK = { number = 1, string = 2, boolean = 3 }
local WORDS = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat "
  .. "return then true until while"):gmatch("%a+") do WORDS[word] = true end

local function before(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then return (RANK[ta] or 9) < (RANK[tb] or 9) end
  if ta == "number" or ta == "string" then return a < b end
  return false
end

local function quoted(text)
  local rest = #text - MOST_STRING
  if rest > 0 then text = text:sub(1, MOST_STRING) end
  text = text:gsub('[%c"\\]', function(c)
    if c == "\n" then return "\\n" end
    if c == '"' or c == "\\" then return "\\" .. c end
    return string.format("\\%03d", c:byte())
  end)
  return '"' .. text .. '"' .. (rest > 0 and string.format(" … %d bytes more", rest) or "")
end

--- What kind of object: the bindings hide their metatables behind a name.
local function kind_of(value)
  local mt = debug.getmetatable(value)
  local name = type(mt) == "table" and rawget(mt, "__metatable")
  return type(name) == "string" and name or type(value)
end

local function address(value)
  local mt = debug.getmetatable(value)
  if type(mt) == "table" and rawget(mt, "__tostring") ~= nil then return "" end -- runs code
  return (tostring(value):match(": (.*)$") or "")
end

local function scalar(value)
  local kind = type(value)
  if kind == "string" then return quoted(value) end
  if kind == "number" then
    local short = string.format("%.14g", value)
    return tonumber(short) == value and short or string.format("%.17g", value)
  end
  if kind == "boolean" or kind == "nil" then return tostring(value) end
  if kind == "function" then
    local info = debug.getinfo(value, "S")
    if info.what ~= "C" then return string.format("function %s:%d", info.short_src,
      info.linedefined) end
  end
  return (kind_of(value) .. " " .. address(value)):gsub(" $", "")
end

local function label(key)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") and not WORDS[key] then return key end
  return "[" .. scalar(key) .. "]"
end

local write

--- A table's keys, the list first; at most so many, and whether there are more.
local function keys_of(value)
  local keys, count, listed = {}, 0, 0
  while rawget(value, listed + 1) ~= nil and listed < MOST_ITEMS + 1 do listed = listed + 1 end
  for key in next, value do
    local in_list = type(key) == "number" and key >= 1 and key <= listed and key % 1 == 0
    if not in_list and #keys < MOST_SORTED then keys[#keys + 1] = key end
    count = count + 1
  end
  table.sort(keys, before)
  return keys, listed, count
end

local function write_table(value, out, depth)
  if out.seen[value] then return "<" .. out.seen[value] .. ">" end
  if next(value) == nil then return "{}" end
  if depth >= MOST_DEPTH then return "{…}" end
  out.seen[value] = "cycle"
  local parts, keys, listed, count = {}, keys_of(value)
  local function room() return #parts < MOST_ITEMS and out.length < MOST_TEXT end
  for i = 1, listed do
    if not room() then break end
    parts[#parts + 1] = write(rawget(value, i), out, depth + 1)
  end
  for _, key in ipairs(keys) do
    if not room() then break end
    parts[#parts + 1] = label(key) .. " = " .. write(rawget(value, key), out, depth + 1)
  end
  if count > #parts then parts[#parts + 1] = string.format("… %d more", count - #parts) end
  out.seen[value] = nil
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if #line + 2 * depth <= WIDTH and not line:find("\n", 1, true) then return line end
  local indent = ("  "):rep(depth + 1)
  return "{\n" .. indent .. table.concat(parts, ",\n" .. indent) .. "\n"
    .. ("  "):rep(depth) .. "}"
end

function write(value, out, depth)
  if type(value) == "table" then return write_table(value, out, depth) end
  local text = scalar(value)
  out.length = out.length + #text
  return text
end

--- A value as text, over several lines where one is too narrow.
---@param value any
---@return string
return function(value)
  return write(value, { seen = {}, length = 0 }, 0)
end
