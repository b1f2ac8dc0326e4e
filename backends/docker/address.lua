--- Where the engine listens: the setting, DOCKER_HOST, DOCKER_CONTEXT, the current context,
-- else the usual socket, in this order, as the docker command does.

local config = require "backends.docker.config"
local dirs = require "exhost.dir"

local address = {}

local DEFAULT = "unix:///var/run/docker.sock"

--- A context's endpoint. Contexts lie in folders named by a hash, so all are looked at.
local function context_host(name)
  local dir = dirs.open(config.folder() .. "/contexts/meta")
  for _, folder in ipairs(dir and dir:list() or {}) do
    local meta = config.read("contexts/meta/" .. folder .. "/meta.json")
    if meta.Name == name then
      dir:close()
      local endpoints = type(meta.Endpoints) == "table" and meta.Endpoints.docker
      return type(endpoints) == "table" and endpoints.Host or nil
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

--- Find the engine.
---@param setting string?
---@return string? value, string? err
function address.find(setting)
  if setting then return setting end
  local host = os.getenv("DOCKER_HOST")
  if host and host ~= "" then return host end
  local context = os.getenv("DOCKER_CONTEXT")
  if not context or context == "" then
    context = config.read("config.json").currentContext
  end
  if not context or context == "" or context == "default" then return DEFAULT end
  local found = context_host(context)
  if found then return found end
  return nil, string.format("docker context %q does not exist in %s/contexts", context,
    config.folder())
end

return address
