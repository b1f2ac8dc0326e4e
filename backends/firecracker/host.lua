--- What this host has for microVMs: the binary and its version, kernels, memory.

local capture = require "exhost.capture"
local dirs = require "exhost.dir"
local fs = require "exhost.fs"
local system = require "exhost.system"

local host = {}

local VERSION_SECONDS = 5
local OLDEST = { 1, 0 }     -- its config file is the one that is written here
local BZIMAGE = { 1, 17 }   -- the first that boots one
-- Params that not every binary takes, by the first that does.
local SINCE = {
  { { 1, 1 }, "mmds_version", function(params) return params.mmds_version == "V2" and "V2" end },
}
local KERNEL_HEAD = 0x206   -- bytes up to the end of bzImage's mark

--- Users link their files, and the monitor follows: what is looked at is what the links lead to.
local function stat(path)
  local real, err, code = system.real_path(path)
  if not real then return nil, err, code end
  local folder, name = real:match("^(.*)/([^/]+)$")
  if not folder then return { kind = "directory" } end -- "/"
  local dir, st
  dir, err, code = dirs.open(folder == "" and "/" or folder)
  if not dir then return nil, err, code end
  st, err, code = dir:stat(name)
  dir:close()
  return st, err, code
end

--- Where the binary is: settings, then the environment.
---@return string? path, string? err, string? code
function host.binary(settings)
  local own = (settings.backends or {}).firecracker or {}
  local path = own.binary or os.getenv "EXHOST_FIRECRACKER"
  if not path or path == "" then
    return nil, "no firecracker binary is known: set backends.firecracker.binary in the "
      .. "settings, or EXHOST_FIRECRACKER", "unavailable"
  end
  if path:sub(1, 1) ~= "/" then
    return nil, string.format("firecracker binary %q: expected an absolute path", path), "invalid"
  end
  return path
end

local function at_least(version, least)
  return version[1] > least[1] or version[1] == least[1] and version[2] >= least[2]
end

--- "Firecracker v1.16.1" -> { 1, 16, text = "1.16.1" }.
function host.parse_version(text)
  local whole = text:match("[Ff]irecracker v(%d+%.%d+[%w.-]*)")
  if not whole then return nil end
  local major, minor = whole:match("^(%d+)%.(%d+)")
  return { tonumber(major), tonumber(minor), text = whole }
end

--- The version, asked once for each file. Suspends.
---@return table? version, string? err, string? code
function host.version(cache, path)
  local st, why = stat(path)
  if not st or st.kind ~= "file" then
    return nil, string.format("firecracker binary %s: %s", path,
      why or "it is a " .. st.kind .. ", not a file"), "unavailable"
  end
  local key = path .. ":" .. st.mtime .. ":" .. st.size
  if cache[key] then return cache[key] end
  local text, err = capture.run({ path, "--version" }, { seconds = VERSION_SECONDS })
  if not text then
    return nil, string.format("ask %s for its --version: %s", path, err), "unavailable"
  end
  local version = host.parse_version(text)
  if not version then
    return nil, string.format("%s --version answered %q: is it firecracker?", path,
      text:sub(1, 80)), "unavailable"
  end
  if not at_least(version, OLDEST) then
    return nil, string.format("%s is firecracker %s; exhost needs %d.%d or newer", path,
      version.text, OLDEST[1], OLDEST[2]), "unsupported"
  end
  cache[key] = version
  return version
end

--- "elf", "bzimage", or what else it is. The first bytes say so.
function host.kernel_kind(head)
  if head:sub(1, 4) == "\127ELF" then return "elf" end
  if head:sub(0x203, 0x206) == "HdrS" then return "bzimage" end
  return nil
end

--- Whether the binary can boot this kernel.
---@return true? ok, string? err, string? code
function host.check_kernel(head, path, version)
  local field = "engine_spec.params.kernel_image: "
  local kind = host.kernel_kind(head)
  if not kind then
    return nil, field .. path .. " is neither an ELF file (vmlinux) nor a bzImage", "invalid"
  end
  if kind == "bzimage" and not at_least(version, BZIMAGE) then
    return nil, string.format("%s%s is a bzImage, which firecracker boots from %d.%d on; this "
      .. "one is %s: give a vmlinux", field, path, BZIMAGE[1], BZIMAGE[2], version.text),
      "invalid"
  end
  return true
end

--- Whether the binary takes what the params ask for.
---@return true? ok, string? err, string? code
function host.check_params(params, path, version)
  for _, gate in ipairs(SINCE) do
    local least, field, asks = unpack(gate)
    local asked = asks(params)
    if asked and not at_least(version, least) then
      return nil, string.format("engine_spec.params.%s: %s needs firecracker %d.%d or newer; %s is "
        .. "%s", field, asked, least[1], least[2], path, version.text), "unsupported"
    end
  end
  return true
end

--- A file that is there and can be read. Answers its first bytes.
function host.read_head(field, path)
  local st, err = stat(path)
  if st and st.kind ~= "file" then err = "it is a " .. st.kind .. ", not a file" end
  local file
  if not err then file, err = io.open(path, "rb") end
  if not file then
    return nil, string.format("engine_spec.params.%s: %s: %s", field, path,
      (err:gsub("^" .. path:gsub("%p", "%%%0") .. ": ", ""))), "invalid"
  end
  local head = file:read(KERNEL_HEAD) or ""
  file:close()
  return head
end

function host.memory()
  local kib = (fs.read("/proc/meminfo") or ""):match("MemTotal:%s*(%d+) kB")
  return kib and tonumber(kib) * 1024
end

return host
