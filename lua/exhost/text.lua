--- Bytes as text: is it UTF-8, make it so, and cut it without splitting a character.
local text = {}

local REPLACEMENT = "\239\191\189"

local byte, sub, find, rep = string.byte, string.sub, string.find, string.rep

--- Look at the sequence that starts at `i`, whose first byte is 128 or more.
---@param s string
---@param i integer
---@return integer length of the character, or of the longest part that could begin one (at least 1)
---@return boolean whole whether it is a whole, valid character
local function sequence(s, i)
  local lead = byte(s, i)
  if lead < 0xC2 or lead > 0xF4 then return 1, false end
  local length, low, high = 2, 0x80, 0xBF
  if lead >= 0xF0 then
    length = 4
    if lead == 0xF0 then low = 0x90 elseif lead == 0xF4 then high = 0x8F end
  elseif lead >= 0xE0 then
    length = 3
    if lead == 0xE0 then low = 0xA0 elseif lead == 0xED then high = 0x9F end
  end
  for k = 1, length - 1 do
    local b = byte(s, i + k)
    if not b or b < low or b > high then return k, false end
    low, high = 0x80, 0xBF
  end
  return length, true
end

--- Find the first invalid sequence at or after `i`.
---@return integer? first, integer? last
local function next_invalid(s, i)
  local n = #s
  while i <= n do
    if byte(s, i) < 0x80 then
      i = i + 1
    else
      local length, whole = sequence(s, i)
      if not whole then return i, i + length - 1 end
      i = i + length
    end
  end
  return nil
end

--- Say whether the bytes are valid UTF-8 (no surrogates, no overlong forms).
---@param s string
---@return boolean
function text.valid(s)
  local i = find(s, "[\128-\255]")
  return i == nil or next_invalid(s, i) == nil
end

--- Put U+FFFD in place of each maximal invalid part, so that the answer is always UTF-8.
---@param s string
---@return string cleaned, boolean changed
function text.clean(s)
  local i = find(s, "[\128-\255]")
  if not i then return s, false end
  local first, last = next_invalid(s, i)
  if not first then return s, false end
  local parts, n, from = {}, 0, 1
  while first do
    if first > from then
      n = n + 1
      parts[n] = sub(s, from, first - 1)
    end
    local count = 1
    from = last + 1
    first, last = next_invalid(s, from)
    while first == from do                       -- a run of bad bytes is one piece
      count, from = count + 1, last + 1
      first, last = next_invalid(s, from)
    end
    n = n + 1
    parts[n] = rep(REPLACEMENT, count)
  end
  parts[n + 1] = sub(s, from)
  return table.concat(parts), true
end

--- Find the valid character that has bytes on both sides of the border after byte `i`.
---@return integer? first, integer? last
local function straddler(s, i)
  local after = byte(s, i + 1)
  if not after or after < 0x80 or after > 0xBF then return nil end
  for p = i, math.max(1, i - 2), -1 do
    local b = byte(s, p)
    if b < 0x80 then return nil end
    if b > 0xBF then
      local length, whole = sequence(s, p)
      if whole and p + length - 1 > i then return p, p + length - 1 end
      return nil
    end
  end
  return nil
end

--- Keep at most `max` bytes from the front, and never half of a character. To cut what is read
--- from a file, read three bytes more than `max`.
---@param s string
---@param max integer
---@return string head, boolean truncated
function text.cut(s, max)
  if #s <= max then return s, false end
  local first = max > 0 and straddler(s, max)
  return sub(s, 1, first and first - 1 or max), true
end

--- Keep at most `max` bytes from the end, and never half of a character.
---@param s string
---@param max integer
---@return string tail, boolean truncated
function text.cut_tail(s, max)
  if #s <= max then return s, false end
  local from = #s - max + 1
  local _, last = straddler(s, from - 1)
  return sub(s, last and last + 1 or from), true
end

--- Ids of executions, jobs and executors; they name files, too.
text.NAME, text.NAME_MOST = "^[A-Za-z0-9][A-Za-z0-9_.-]*$", 128

--- Say whether a value can be such an id.
---@param value any
---@return boolean
function text.is_name(value)
  return type(value) == "string" and #value <= text.NAME_MOST and find(value, text.NAME) ~= nil
end

--- Put bytes on one line, in quotes, for an error message.
---@param s string
---@param max? integer bytes shown (default 64)
---@return string
function text.quote(s, max)
  local shown, cut = text.cut(s, max or 64)
  shown = text.clean(shown):gsub('["\\]', "\\%0"):gsub("[%z\1-\31\127]", function(c)
    return string.format("\\x%02x", byte(c))
  end)
  return '"' .. shown .. (cut and '…"' or '"')
end

return text
