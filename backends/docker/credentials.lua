--- Credentials for a registry, from the docker command's own configuration.

local base64 = require "exhost.base64"
local config = require "backends.docker.config"

local credentials = {}

local HUB = "https://index.docker.io/v1/"

--- For a registry's host (nil: Docker Hub). Nil when there are none.
---@return { username: string, password: string, serveraddress: string }?
function credentials.find(host)
  local auths = config.read("config.json").auths
  local server = host or HUB
  local entry = type(auths) == "table" and (auths[server] or auths["https://" .. server])
  local text = type(entry) == "table" and entry.auth and base64.decode(entry.auth)
  local name, password = (text or ""):match("^([^:]+):(.*)$")
  if not name then return nil end
  return { username = name, password = password, serveraddress = server }
end

return credentials
