--- Credentials for a registry, from the docker command's own configuration.

local base64 = require "exhost.base64"
local json = require "exhost.json"

local credentials = {}

local HUB = "https://index.docker.io/v1/"

local function read_config()
  local folder = os.getenv("DOCKER_CONFIG")
  if not folder or folder == "" then folder = (os.getenv("HOME") or "") .. "/.docker" end
  local file = io.open(folder .. "/config.json", "r")
  local content = file and file:read("*a")
  if file then file:close() end
  local config = content and json.decode(content)
  return type(config) == "table" and config or {}
end

--- For a registry's host (nil: Docker Hub). Nil when there are none.
---@return { username: string, password: string, serveraddress: string }?
function credentials.find(host)
  local auths = read_config().auths
  local server = host or HUB
  local entry = type(auths) == "table" and (auths[server] or auths["https://" .. server])
  local text = type(entry) == "table" and entry.auth and base64.decode(entry.auth)
  local name, password = (text or ""):match("^([^:]+):(.*)$")
  if not name then return nil end
  return { username = name, password = password, serveraddress = server }
end

return credentials
