--- The docker command's own configuration folder: contexts, credentials.

local fs = require "exhost.fs"
local json = require "exhost.json"

local config = {}

--- $DOCKER_CONFIG, else ~/.docker.
---@return string
function config.folder()
  local named = os.getenv("DOCKER_CONFIG")
  if named and named ~= "" then return named end
  return (os.getenv("HOME") or "") .. "/.docker"
end

--- A JSON file in it; an empty table when there is none, or no object in it.
---@param name string
---@return table
function config.read(name)
  local content = fs.read(config.folder() .. "/" .. name)
  local value = content and json.decode(content)
  return type(value) == "table" and value or {}
end

return config
