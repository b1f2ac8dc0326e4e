--- What `engine_spec.params` may hold for a microVM.
local metadata = require "backends.firecracker.metadata"
local network = require "backends.firecracker.network"
local parts = require "exhost.request.params"
local text = require "exhost.text"

local MAX_ID = 2 ^ 32 - 2 -- the id after it means "leave as it is"

local function is_id(value)
  return value:find("^%d+$") and #value <= 10 and tonumber(value) <= MAX_ID
end

--- Numbers, or names that the guest's own passwd and group have.
local function user(value)
  local first, second = value:match("^([^:]+):([^:]+)$")
  for _, part in ipairs { first or value, second } do
    local number = part:find "^%d+$"
    if number and not is_id(part) or not number and not part:find "^[%w_][%w_.-]*%$?$"
      or #part > 64 then
      return nil, 'expected "user" or "user:group", numbers or names of the guest, got '
        .. text.quote(value)
    end
  end
  return value
end

--- A word of the kernel's command line that would undo what exhost puts there.
local OURS = { init = true, rdinit = true, root = true }

local function kernel_args(value)
  if value:find("[%c]") then return nil, "a control character cannot be in it" end
  for word in value:gmatch("%S+") do
    local name = word:match("^[^=]*")
    if name:find("^exhost%.") then
      return nil, text.quote(name) .. " is set by exhost itself"
    end
  end
  return value
end

--- Check what only all of it tells.
local function whole(params)
  local runs = #(params.entrypoint or {}) + #(params.cmd or {}) > 0
  if params.initrd and params.initrd_path and params.initrd ~= params.initrd_path then
    return nil, "initrd and initrd_path name two files: give one"
  end
  params.initrd = params.initrd or params.initrd_path
  params.initrd_path = nil
  local fits, err = metadata.check_params(params)
  if not fits then return nil, err end
  if not params.initrd and not params.root_file_system then
    return nil, "nothing to boot: give root_file_system, initrd or both"
  end
  if runs then
    local first = (params.entrypoint or {})[1] or params.cmd[1]
    if first == "" then return nil, "nothing to run: the first word of the command is empty" end
    for word in (params.kernel_args or ""):gmatch("%S+") do
      local name = word:match("^[^=]*")
      if OURS[name] then
        return nil, string.format("kernel_args: %s cannot be given along with a command, "
          .. "which exhost's own init runs", text.quote(name))
      end
    end
    return params
  end
  for _, name in ipairs { "environment", "working_directory", "user" } do
    local given = params[name]
    if given and (type(given) ~= "table" or #given > 0) then
      return nil, name .. " is for a command, and none is given: add cmd or entrypoint"
    end
  end
  if params.network then
    return nil, "network: exhost's own init sets it up, which runs with a command alone: add cmd "
      .. "or entrypoint"
  end
  return params
end

local function words(doc)
  return { type = "list", of = { type = "string", no_nul = true }, doc = doc }
end

local function file(doc, extra)
  local spec = parts.optional { check = parts.absolute, doc = doc }
  for key, value in pairs(extra or {}) do spec[key] = value end
  return spec
end

return {
  type = "record",
  check = whole,
  fields = {
    kernel_image = file("the kernel: vmlinux, or a bzImage where the binary boots one",
      { required = true, absent = nil, min_length = 1 }),
    initrd = file "an archive for the first file system, appended to by exhost",
    initrd_path = file "the same under its other name",
    root_file_system = file "an image of a file system: the machine's disk",
    root_read_only = { type = "boolean", doc = "the disk cannot be written" },
    kernel_args = { type = "string", absent = "", no_nul = true, check = kernel_args,
      max_length = 1536, doc = "added to the kernel's command line" },
    network = { type = "record", check = network.check, doc = "one network interface", fields = {
      address = { type = "string", required = true, doc = "ADDRESS/BITS of the guest" },
      gateway = { type = "string", required = true, doc = "address of this host's end" },
    } },
    mmds_message = { type = "any", absent = "", check = metadata.check, doc = "what the guest gets "
      .. "from the metadata service: an object, or text" },
    mmds_version = { type = "enum", values = { "V1", "V2" }, absent = "", doc = "how it asks for "
      .. "that: V2 by sessions; without it the monitor's own default" },
    entrypoint = words "the first words of the command line",
    cmd = words "the words after them; without both the image boots as it is",
    environment = parts.environment(),
    working_directory = file "of the command, in the guest",
    user = { type = "string", absent = "", no_nul = true, check = user,
      doc = '"user" or "user:group" of the guest, numbers or names; a number without a group has '
        .. 'the group of that number' },
  },
}
