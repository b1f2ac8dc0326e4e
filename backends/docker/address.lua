--- Where the engine listens: the setting, DOCKER_HOST, DOCKER_CONTEXT, the current context,
-- else the usual socket, in this order, as the docker command does.

local config = require "backends.docker.config"
local dirs = require "exhost.dir"

local address = {}

local DEFAULT = "unix:///var/run/docker.sock"

--- Spoken plainly, what TLS was to protect could be read on the way: credentials, variables.
address.NO_TLS = "and only plain TCP is spoken here: use the engine's unix socket, or a tunnel "
  .. "to it"

--- A context's endpoint, and what says that TLS is wanted there. Contexts lie in folders named
--- by a hash, so all are looked at.
local function context_host(name)
  local dir = dirs.open(config.folder() .. "/contexts/meta")
  for _, folder in ipairs(dir and dir:list() or {}) do
    local meta = config.read("contexts/meta/" .. folder .. "/meta.json")
    if meta.Name == name then
      dir:close()
      local endpoints = type(meta.Endpoints) == "table" and meta.Endpoints.docker
      local keys = dirs.open(config.folder() .. "/contexts/tls/" .. folder .. "/docker")
      if keys then keys:close() end
      return type(endpoints) == "table" and endpoints.Host or nil,
        keys and "the context's certificates"
    end
  end
  if dir then dir:close() end
end

--- Take an address apart.
---@param value string "unix:///path", "/path", "tcp://host:port", "host:port"
---@return string? for the client, string? for the shim or what is wrong
function address.parse(value)
  local path = value:match("^unix://(/.+)$") or value:match("^(/.+)$")
  if path then return path, "unix:" .. path end
  local scheme, rest = value:match("^(%w+)://(.*)$")
  if scheme and scheme ~= "tcp" and scheme ~= "http" then
    return nil, string.format("%s: %s is not spoken here (unix:// or tcp://)", value, scheme)
  end
  local host, port = (rest or value):match("^([%w.%-]+):(%d+)/?$")
  if not host then host, port = (rest or value):match("^(%[[%x:]+%]):(%d+)/?$") end
  if not host then return nil, value .. ": expected unix:///path or tcp://host:port" end
  if host == "localhost" then host = "127.0.0.1" end
  return host .. ":" .. port, "tcp:" .. host .. ":" .. port
end

local function tls_variable()
  for _, name in ipairs { "DOCKER_TLS_VERIFY", "DOCKER_TLS" } do
    if (os.getenv(name) or "") ~= "" then return name end
  end
end

--- The engine's address, and what says that TLS is wanted there.
local function look(setting)
  local host = setting or os.getenv("DOCKER_HOST")
  if host and host ~= "" then return host, tls_variable() end
  local context = os.getenv("DOCKER_CONTEXT")
  if not context or context == "" then
    context = config.read("config.json").currentContext
  end
  if not context or context == "" or context == "default" then return DEFAULT end
  local found, tls = context_host(context)
  if found then return found, tls end
  return nil, string.format("docker context %q does not exist in %s/contexts", context,
    config.folder())
end

--- Find the engine.
---@param setting string?
---@return string? value, string? err
function address.find(setting)
  local value, word = look(setting)
  if not value or not word or value:find("^unix:") or value:sub(1, 1) == "/" then
    return value, not value and word or nil
  end
  return nil, string.format("docker engine: %s: TLS is wanted there (%s), %s", value, word,
    address.NO_TLS)
end

return address
