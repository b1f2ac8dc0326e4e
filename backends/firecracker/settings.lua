--- What `backends.firecracker` in the settings may hold.

local network = require "backends.firecracker.network"
local parts = require "exhost.request.params"
local schema = require "exhost.schema"
local text = require "exhost.text"

local settings = {}

local GIB = 1024 ^ 3
local MAX_UID = 2 ^ 32 - 2

local function range(value)
  if network.parse(value) then return value end
  return nil, "expected ADDRESS/BITS, got " .. text.quote(value)
end

settings.SCHEMA = { type = "record", default = {}, fields = {
  binary = { type = "string", absent = "", no_nul = true,
    doc = "path of firecracker; else EXHOST_FIRECRACKER" },
  jailer = { type = "string", no_nul = true, doc = 'path of its jailer, used where exhost runs as '
    .. 'root; else EXHOST_JAILER; "": none' },
  jail_base = { type = "string", absent = "", no_nul = true, check = parts.absolute,
    doc = "the folder that jails lie in, root's alone; else the state folder" },
  jail_uid_first = { type = "integer", default = 1900000000, min = 1, max = MAX_UID,
    doc = "the first user id of jails; executors of one machine need ranges of their own" },
  jail_uid_count = { type = "integer", default = 65536, min = 1, max = MAX_UID,
    doc = "how many there are: the most machines in jails at once" },
  networks = { type = "list", of = { type = "string", check = range }, default = {},
    doc = "the ranges, ADDRESS/BITS, that requests may have networks of; none: none" },
  images = { type = "list", of = { type = "string", no_nul = true, check = parts.absolute },
    doc = "the folders that an initrd and a root_file_system may come from; without it all but "
      .. "those that give the host away" },
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
  if checked.jail_uid_first + checked.jail_uid_count - 1 > MAX_UID then
    return nil, string.format("settings: backends.firecracker.jail_uid_count: there are no user "
      .. "ids above %.0f", MAX_UID), "invalid"
  end
  return checked
end

return settings
