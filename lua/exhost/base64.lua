--- Standard base64 (RFC 4648 §4), padded, as Go writes `[]byte`.
local bit = require "bit"

local base64 = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local PAD = 61                     -- "="
local CHUNK = 4096                 -- characters at a time: what `string.char` takes in one call

local band, bor, lshift, rshift = bit.band, bit.bor, bit.lshift, bit.rshift
local byte, char, sub, concat = string.byte, string.char, string.sub, table.concat

local pairs_of, value_of           -- built when first needed

local function tables()
  if pairs_of then return end
  pairs_of, value_of = {}, {}
  for i = 0, 63 do
    value_of[byte(ALPHABET, i + 1)] = i
    for k = 0, 63 do
      pairs_of[i * 64 + k] = sub(ALPHABET, i + 1, i + 1) .. sub(ALPHABET, k + 1, k + 1)
    end
  end
end

--- Encode bytes.
---@param bytes string
---@return string
function base64.encode(bytes)
  tables()
  local lookup, out, n = pairs_of, {}, 0
  local whole = #bytes - #bytes % 3
  for i = 1, whole, 3 do
    local a, b, c = byte(bytes, i, i + 2)
    local group = bor(lshift(a, 16), lshift(b, 8), c)
    out[n + 1] = lookup[rshift(group, 12)]
    out[n + 2] = lookup[band(group, 4095)]
    n = n + 2
  end
  local a, b = byte(bytes, whole + 1, #bytes)
  if b then
    local group = bor(lshift(a, 16), lshift(b, 8))
    out[n + 1] = lookup[rshift(group, 12)] .. sub(lookup[band(group, 4095)], 1, 1) .. "="
  elseif a then
    out[n + 1] = lookup[lshift(a, 4)] .. "=="
  end
  return concat(out)
end

--- Decode the whole groups from `from` to `to`.
---@return string? bytes, integer? position of the group that holds padding
local function groups(encoded, from, to)
  local values, out, n = value_of, {}, 0
  for i = from, to, 4 do
    local a, b, c, d = byte(encoded, i, i + 3)
    a, b, c, d = values[a], values[b], values[c], values[d]
    if not (a and b and c and d) then return nil, i end
    local group = bor(lshift(a, 18), lshift(b, 12), lshift(c, 6), d)
    out[n + 1] = rshift(group, 16)
    out[n + 2] = band(rshift(group, 8), 255)
    out[n + 3] = band(group, 255)
    n = n + 3
  end
  return char(unpack(out, 1, n))
end

--- Decode the last group, which may be padded.
---@return string? bytes, integer? position of the first bad character, counted from 0
local function last_group(encoded, i)
  local a, b, c, d = byte(encoded, i, i + 3)
  local va, vb, vc, vd = value_of[a], value_of[b], value_of[c], value_of[d]
  if not va then return nil, 0 end
  if not vb then return nil, 1 end
  if c == PAD then
    if d ~= PAD then return nil, 2 end
    if band(vb, 15) ~= 0 then return nil, 1 end
    return char(bor(lshift(va, 2), rshift(vb, 4)))
  end
  if not vc then return nil, 2 end
  if d == PAD then
    if band(vc, 3) ~= 0 then return nil, 2 end
    return char(bor(lshift(va, 2), rshift(vb, 4)), bor(lshift(band(vb, 15), 4), rshift(vc, 2)))
  end
  if not vd then return nil, 3 end
  local group = bor(lshift(va, 18), lshift(vb, 12), lshift(vc, 6), vd)
  return char(rshift(group, 16), band(rshift(group, 8), 255), band(group, 255))
end

local function bad_character(encoded, position)
  return nil, string.format("not base64: bad character at position %d of %d", position, #encoded)
end

--- Decode padded text of the standard alphabet. Line breaks are left out, as Go does; anything
--- else is refused.
---@param encoded string
---@return string? bytes, string? err
function base64.decode(encoded)
  tables()
  if encoded:find("[\r\n]") then encoded = encoded:gsub("[\r\n]+", "") end
  if encoded == "" then return "" end
  local stray = encoded:find("[^%w+/=]")
  if stray then return bad_character(encoded, stray) end
  if #encoded % 4 ~= 0 then
    return nil, string.format("not base64: %d characters are not whole groups of four", #encoded)
  end
  local chunks, last = {}, #encoded - 3
  for from = 1, last - 1, CHUNK do
    local to = math.min(from + CHUNK, last) - 1
    local bytes, stray_group = groups(encoded, from, to)
    if not bytes then return bad_character(encoded, encoded:find("=", stray_group, true)) end
    chunks[#chunks + 1] = bytes
  end
  local tail, offset = last_group(encoded, last)
  if not tail then return bad_character(encoded, last + offset) end
  chunks[#chunks + 1] = tail
  return concat(chunks)
end

return base64
