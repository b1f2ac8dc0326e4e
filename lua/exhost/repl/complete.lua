--- What can stand where the cursor is, found without running code: tables are looked into by
--- rawget, and __index is followed only where it is a table.

local MOST_LINKS = 10 -- of a chain of __index
local MOST = 200

local KEYWORDS = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if",
  "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while" }

--- The tables in which a value's fields are found, in order.
local function tables_of(value)
  local list = {}
  for _ = 1, MOST_LINKS do
    if type(value) == "table" then list[#list + 1] = value end
    local mt = debug.getmetatable(value)
    value = type(mt) == "table" and rawget(mt, "__index") or nil
    if type(value) ~= "table" then break end
  end
  return list
end

local function field(value, name)
  for _, one in ipairs(tables_of(value)) do
    local found = rawget(one, name)
    if found ~= nil then return found end
  end
end

--- Names in `value` that begin with `partial`; `functions`: only those.
local function names(value, partial, functions, found)
  for _, one in ipairs(tables_of(value)) do
    for key, content in next, one do
      if type(key) == "string" and key:find("^[%a_][%w_]*$") and key:sub(1, #partial) == partial
        and (not functions or type(content) == "function") then
        found[key] = type(content) == "function" and "(" or ""
      end
    end
  end
end

--- Whether the text ends inside a string: its quote and what stands before and after it.
local function open_string(text)
  local quote, from
  local i = 1
  while i <= #text do
    local c = text:sub(i, i)
    if quote then
      if c == "\\" then i = i + 1 elseif c == quote then quote = nil end
    elseif c == '"' or c == "'" then
      quote, from = c, i
    end
    i = i + 1
  end
  if quote then return quote, text:sub(1, from - 1), text:sub(from + 1) end
end

local function common(words)
  local first, last = words[1], words[#words] -- sorted
  local n = 0
  while n < #first and first:byte(n + 1) == last:byte(n + 1) do n = n + 1 end
  return first:sub(1, n)
end

local function answer(found, partial)
  local words = {}
  for word in pairs(found) do words[#words + 1] = word end
  if #words == 0 then return { insert = "", words = words } end
  table.sort(words)
  local insert = common(words):sub(#partial + 1)
  if #words == 1 then insert = insert .. found[words[1]] end
  for i = #words, MOST + 1, -1 do words[i] = nil end
  return { insert = insert, words = words }
end

--- Complete what is typed.
---@param env table the globals of the prompt
---@param text string what stands before the cursor
---@param strings? fun(call: string): string[]? what can stand in a string that is the first
--- argument of `call`, such as execution ids
---@return { insert: string, words: string[] } what to put in, and what it could become
return function(env, text, strings)
  local quote, head, inside = open_string(text)
  local found = {}
  if quote then
    local call = head:match("([%a_][%w_.:]*)%s*%(?%s*$") or ""
    for _, word in ipairs(strings and strings(call) or {}) do
      if word:sub(1, #inside) == inside then found[word] = quote end
    end
    return answer(found, inside)
  end
  local path = text:match("[%a_][%w_.:]*$") or ""
  local at, functions = env, false
  local partial = path:match("[^.:]*$")
  for name, separator in path:gmatch("([^.:]*)([.:])") do
    at = field(at, name)
    functions = separator == ":"
    if at == nil then return answer(found, partial) end
  end
  if partial == path then
    if partial == "" then return answer(found, partial) end
    for _, word in ipairs(KEYWORDS) do
      if word:sub(1, #partial) == partial then found[word] = " " end
    end
  end
  names(at, partial, functions, found)
  return answer(found, partial)
end
