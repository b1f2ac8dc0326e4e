--- The jailer of this host: whether monitors can be started by one, and where their jails lie.

local dirs = require "exhost.dir"
local fs = require "exhost.fs"
local system = require "exhost.system"

local jailer = {}

local HEAD, PT_INTERP = 4096, 3 -- of an ELF file

--- The jailer of the settings, else EXHOST_JAILER; "" in the settings: none.
---@param own table backends.firecracker of the settings
---@return string? path nil: none is named
function jailer.named(own)
  local path = own.jailer or os.getenv "EXHOST_JAILER"
  return path ~= "" and path or nil
end

local function number_at(bytes, at, size)
  local value = 0
  for i = size, 1, -1 do value = value * 256 + (bytes:byte(at + i) or 0) end
  return value
end

--- Whether a program needs a linker, which no jail has: an ELF file with PT_INTERP in its headers.
function jailer.is_dynamic(head)
  if head:sub(1, 5) ~= "\127ELF\2" then return false end
  local at, size = number_at(head, 0x20, 8), number_at(head, 0x36, 2)
  for i = 0, number_at(head, 0x38, 2) - 1 do
    if number_at(head, at + i * size, 4) == PT_INTERP then return true end
  end
  return false
end

local function check_binary(path)
  local real, err = system.real_path(path)
  local file
  if real then file, err = io.open(real, "rb") end
  if not file then
    return nil, string.format("firecracker binary %s: %s", path, err), "unavailable"
  end
  local head = file:read(HEAD) or ""
  file:close()
  if jailer.is_dynamic(head) then
    return nil, string.format("firecracker binary %s is linked dynamically, and a jail has no "
      .. "libraries: name a static one, or no jailer", path), "unavailable"
  end
  return real:match("[^/]+$")
end

--- Options of the mount that a path is on. Of several at one place the last one counts.
---@param mounts string as /proc/self/mountinfo has them
---@param path string without symlinks
function jailer.mount_options(mounts, path)
  local longest, found = -1, ""
  for point, options in mounts:gmatch("[^\n]- %S+ %S+ %S+ (%S+) (%S+) [^\n]*\n") do
    point = point:gsub("\\(%d%d%d)", function(digits) return string.char(tonumber(digits, 8)) end)
    local above = point:gsub("/+$", "") .. "/"
    if #point >= longest and (path .. "/"):sub(1, #above) == above then
      longest, found = #point, options
    end
  end
  return found
end

--- Whether jails can lie below a folder: a monitor opens the device nodes of its own.
---@return true? ok, string? why
local function check_devices(folder)
  local path, err = system.real_path(folder)
  if not path then return nil, err end
  local options = jailer.mount_options(fs.read "/proc/self/mountinfo" or "", path)
  if ("," .. options .. ","):find(",nodev,", 1, true) then
    return nil, "it is mounted without device nodes (nodev), and a monitor in a jail needs /dev/kvm"
  end
  return true
end

--- The operator's own folder for jails: who can write in it, or above it, could put links there.
local function check_base(path)
  local dir, err = dirs.open(path)
  if not dir then return nil, err end
  dir:close()
  return system.trusted(path)
end

--- Whether this host can use one. Reads only.
---@param state_dir string where jails lie without a jail_base
---@return table? facts { jailer, exec, base }, or `{ why }` where monitors run as the caller; nil:
--- it is wrong, string? err, string? code
function jailer.facts(own, binary, state_dir)
  local path = jailer.named(own)
  local uid = system.ids()
  if not path then
    return { why = string.format("no jailer is named: the monitor runs as the caller, uid %d "
      .. "(backends.firecracker.jailer, or EXHOST_JAILER)", uid) }
  end
  if uid ~= 0 then
    return { why = string.format("jail (a jailer needs root: the monitor runs as uid %d)", uid),
      named = true }
  end
  local file, err = io.open(path, "rb")
  if path:sub(1, 1) ~= "/" then err = "expected an absolute path" end
  if file then file:close() end
  if err then return nil, string.format("jailer %s: %s", path, err), "unavailable" end
  local exec, why, code = check_binary(binary)
  if not exec then return nil, why, code end
  local base, ok = own.jail_base, true
  if base then ok, why = check_base(base) end
  if ok then ok, why = check_devices(base or state_dir) end
  if not ok then
    return nil, string.format("%s %s: %s",
      base and "backends.firecracker.jail_base" or "jails in the state folder", base or state_dir,
      why), "unavailable"
  end
  return { jailer = path, exec = exec, base = base and system.real_path(base) }
end

return jailer
