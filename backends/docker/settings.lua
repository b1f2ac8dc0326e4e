--- What `backends.docker` in the settings may hold.

local schema = require "exhost.schema"

local settings = {}

local MAX_SECONDS = 7 * 24 * 3600

local function duration(default, doc)
  return { type = "duration", default = default, max = MAX_SECONDS, doc = doc }
end

settings.SCHEMA = { type = "record", default = {}, fields = {
  host = { type = "string", absent = "", no_nul = true,
    doc = "the engine's address; else as the docker command finds it" },
  disk_limits = { type = "boolean", default = false,
    doc = "the storage driver has quotas, so that disk limits can be kept (StorageOpt)" },
  pull_timeout = duration(3600, "the most time of a pull"),
  pull_silence = duration(300, "how long a registry may say nothing during a pull"),
  helper_timeout = duration(30, "the most time of a credential helper"),
} }

--- Check them and fill in the defaults.
---@param value table?
---@return table? settings, string? err, string? code
function settings.check(value)
  local checked, err, code = schema.check(settings.SCHEMA, value, { path = "backends.docker" })
  if checked == nil then return nil, "settings: " .. err, code end
  return checked
end

return settings
