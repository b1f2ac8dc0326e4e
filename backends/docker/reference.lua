--- Image references: [host[:port]/]path[:tag][@digest]
-- (distribution's reference grammar; a name without host is Docker Hub's).

local text = require "exhost.text"

local reference = {}

local MAX_NAME, MAX_TAG = 255, 128

--- The host part, if the first component is one.
local function split_host(name)
  local first, rest = name:match("^([^/]+)/(.+)$")
  if first and (first:find("[.:]") or first == "localhost" or first:find("%u")) then
    return first, rest
  end
  return nil, name
end

local function is_host(host)
  local name, port = host:match("^([^:]+):?(%d*)$")
  if host:sub(1, 1) == "[" then name, port = host:match("^(%[[%x:]+%]):?(%d*)$") end
  return name ~= nil and not host:find(":$") and (port == "" or tonumber(port) < 65536)
    and name:find("^[%w.%-%[%]:]+$") ~= nil
end

local function is_path(path)
  if ("/" .. path .. "/"):find("//", 1, true) then return false end
  for part in path:gmatch("[^/]+") do
    if not part:find("^[a-z0-9]+[a-z0-9._-]*$") or part:find("[._-]$") then return false end
  end
  return true
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
  local id = value:match("^sha256:(%x+)$") or value:match("^(%x+)$")
  if id and #id == 64 then return { id = "sha256:" .. id } end
  local rest, digest = value:match("^(.-)@(.+)$")
  if digest and not (digest:find("^sha256:%x+$") and #digest == 71) then
    return bad "the digest is not sha256: and 64 hex digits"
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
