--- Image references: [host[:port]/]path[:tag][@digest]
-- (distribution's reference grammar; a name without host is Docker Hub's).

local text = require "exhost.text"

local reference = {}

local MAX_NAME, MAX_TAG = 255, 128
local DIGEST_LENGTHS = { sha256 = 64, sha384 = 96, sha512 = 128 }

--- The host part, if the first component is one.
local function split_host(name)
  local first, rest = name:match("^([^/]+)/(.+)$")
  if first and (first:find("[.:]") or first == "localhost" or first:find("%u")) then
    return first, rest
  end
  return nil, name
end

--- Words of letters, digits and inner "-", with points between; or an IPv6 address in brackets.
local function is_host(host)
  local name, colon, port = host:match("^([^:]+)(:?)(%d*)$")
  if host:sub(1, 1) == "[" then
    name, colon, port = host:match("^(%[[%x:]+%])(:?)(%d*)$")
    if not name then return false end
  elseif not name then
    return false
  else
    for word in (name .. "."):gmatch("([^.]*)%.") do
      if not word:find("^%w[%w-]*$") or word:find("-$") then return false end
    end
  end
  if colon == "" then return port == "" end
  return port ~= "" and tonumber(port) < 65536
end

--- Lower-case words with ".", "_", "__" or any number of "-" between them.
local function is_word(part)
  local rest = part:match("^[a-z0-9]+(.*)$")
  while rest and rest ~= "" do
    local between, more = rest:match("^([._-]+)[a-z0-9]+(.*)$")
    local fits = between == "." or between == "_" or between == "__"
      or between and between:find("^%-+$")
    if not fits then return false end
    rest = more
  end
  return rest ~= nil
end

local function is_path(path)
  for part in (path .. "/"):gmatch("([^/]*)/") do
    if not is_word(part) then return false end
  end
  return true
end

--- A hash as registries write it: hex digits in lower case only.
local function is_digest(digest)
  local algorithm, hex = digest:match("^(%w+):([0-9a-f]+)$")
  return algorithm ~= nil and DIGEST_LENGTHS[algorithm] == #hex
end

--- Take a reference apart. An id (64 hex digits, or sha256: and those) is one, too.
---@param value string
---@return { name: string?, tag: string?, digest: string?, id: string?, host: string? }? parts
---@return string? err
function reference.parse(value)
  local function bad(why)
    return nil, string.format("not an image reference: %s (%s)", text.quote(value), why)
  end
  if value == "" then return bad "it is empty" end
  local id = value:match("^sha256:([0-9a-f]+)$") or value:match("^([0-9a-f]+)$")
  if id and #id == 64 then return { id = "sha256:" .. id } end
  local rest, digest = value:match("^(.-)@(.+)$")
  if digest and not is_digest(digest) then
    return bad "the digest is not sha256: and 64 hex digits in lower case"
  end
  rest = rest or value
  local host, path = split_host(rest)
  local name, tag = path:match("^([^:]*):(.*)$")
  name = name or path
  if tag and (not tag:find("^[%w_][%w_.-]*$") or #tag > MAX_TAG) then return bad "its tag" end
  if host and not is_host(host) then return bad "its host" end
  if not is_path(name) then return bad "names are lower-case words between slashes" end
  name = host and host .. "/" .. name or name
  if #name > MAX_NAME then return bad "the name is too long" end
  return { name = name, tag = tag or not digest and "latest" or nil, digest = digest, host = host }
end

--- As the engine is asked for it.
---@return string
function reference.text(parts)
  if parts.id then return parts.id end
  return parts.name .. (parts.tag and ":" .. parts.tag or "")
    .. (parts.digest and "@" .. parts.digest or "")
end

return reference
