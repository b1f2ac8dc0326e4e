--- What `backends.firecracker` in the settings may hold.

local schema = require "exhost.schema"

local settings = {}

local GIB = 1024 ^ 3

settings.SCHEMA = { type = "record", default = {}, fields = {
  binary = { type = "string", absent = "", no_nul = true,
    doc = "path of firecracker; else EXHOST_FIRECRACKER" },
  input_limit = { type = "size", default = 16 * GIB, doc = "the most bytes of an input" },
  output_size = { type = "size", default = GIB,
    doc = "the bytes of an output's drive, where the request has no disk size" },
} }

--- Check them and fill in the defaults.
---@param value table?
---@return table? settings, string? err, string? code
function settings.check(value)
  local checked, err, code = schema.check(settings.SCHEMA, value,
    { path = "backends.firecracker" })
  if checked == nil then return nil, "settings: " .. err, code end
  return checked
end

return settings
