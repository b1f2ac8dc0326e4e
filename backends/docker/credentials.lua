--- Credentials for a registry, from the docker command's own configuration: a credential
-- helper where one is named, else what lies in config.json itself.

local base64 = require "exhost.base64"
local capture = require "exhost.capture"
local config = require "backends.docker.config"
local json = require "exhost.json"

local credentials = {}

local HUB = "https://index.docker.io/v1/"
local HUB_NAMES = { ["docker.io"] = true, ["index.docker.io"] = true,
  ["registry-1.docker.io"] = true }
local NOT_FOUND = "credentials not found" -- how every helper begins to say so
local TOKEN = "<token>" -- in place of a user's name

--- The name under which a registry's credentials are kept.
local function server_of(host)
  if not host or HUB_NAMES[host] then return HUB end
  return host
end

--- "https://host:5000/v1/" is host:5000, too.
local function host_of(key)
  return (key:gsub("^%a+://", ""):match("^[^/]*"))
end

local function text(value)
  return type(value) == "string" and value ~= "" and value or nil
end

--- An entry of `auths`: "auth" is base64 of name:password, or they are apart.
local function from_entry(entry, server)
  local name, password = text(entry.username), text(entry.password)
  local decoded = text(entry.auth) and base64.decode(entry.auth)
  if decoded then name, password = decoded:match("^([^:]+):(.*)$") end
  local token = text(entry.identitytoken)
  if not token and not (name and password) then return nil end
  return { username = name, password = not token and password:gsub("%z+$", "") or nil,
    identitytoken = token, serveraddress = server }
end

local function from_file(auths, server)
  if type(auths) ~= "table" then return nil end
  local entry = auths[server]
  for key, other in pairs(auths) do
    if not entry and host_of(key) == host_of(server) then entry = other end
  end
  return type(entry) == "table" and from_entry(entry, server) or nil
end

local function program_of(name)
  if not name:find("^[%w._-]+$") then
    return nil, string.format("credential helper %q: not a name", name)
  end
  local file = "docker-credential-" .. name
  local path = capture.program(file)
  if path then return path end
  return nil, string.format("credential helper %s: not found in $PATH", file)
end

--- Ask a helper: the server on its stdin, an object on its stdout. Suspends.
local function from_helper(name, server, seconds)
  local program, err = program_of(name)
  if not program then return nil, err end
  local out, why, printed = capture.run({ program, "get" }, { seconds = seconds,
    env = capture.environment(), input = server .. "\n" })
  if not out then
    local words = (printed or ""):match("^[^\r\n]*")
    if words:find("^" .. NOT_FOUND) then return nil end
    return nil, string.format("credential helper docker-credential-%s: %s%s", name, why,
      words ~= "" and " (" .. words .. ")" or "")
  end
  local answer = json.decode(out)
  local user, secret = nil, nil
  if type(answer) == "table" then user, secret = text(answer.Username), text(answer.Secret) end
  if not secret then
    return nil, string.format("credential helper docker-credential-%s: it answered no "
      .. "{\"Username\":…,\"Secret\":…}", name)
  end
  if user == TOKEN then return { identitytoken = secret, serveraddress = server } end
  return { username = user, password = secret, serveraddress = server }
end

--- For a registry's host (nil: Docker Hub). Nil when there are none; then with the reason where
--- a helper failed. Suspends.
---@param seconds number the most time of a helper
---@return { username: string?, password: string?, identitytoken: string?,
--- serveraddress: string }? auth, string? err
function credentials.find(host, seconds)
  local own, server = config.read("config.json"), server_of(host)
  local helpers = type(own.credHelpers) == "table" and own.credHelpers or {}
  local helper = text(helpers[server]) or text(helpers[host_of(server)]) or text(own.credsStore)
  local auth, err
  if helper then auth, err = from_helper(helper, server, seconds) end
  return auth or from_file(own.auths, server), err
end

return credentials
