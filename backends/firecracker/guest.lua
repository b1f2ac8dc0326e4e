--- What a guest's own init is given: itself and the job, in an archive for the kernel.

local build = require "exhost.build"
local cpio = require "backends.firecracker.cpio"

local guest = {}

local MAX_INITRD = 512 * 1024 * 1024

local function read(path, what)
  local file, err = io.open(path, "rb")
  if not file then return nil, string.format("read %s: %s", what, err), "io" end
  local data = file:read("*a")
  file:close()
  if not data then return nil, string.format("read %s %s: not readable", what, path), "io" end
  if #data > MAX_INITRD then
    return nil, string.format("%s %s has %d bytes, above %d", what, path, #data, MAX_INITRD),
      "invalid"
  end
  return data
end

--- The job as core/guest/job.c reads it. Scripts come last and are content, never a file of
--- the host.
function guest.job(body, scripts, token)
  local out = { "EXHOST1\n" }
  local function add(key, value)
    if value == nil then return end
    if type(value) == "number" then value = string.format("%.0f", value) end
    assert(not value:find("\0", 1, true), "NUL in the job's " .. key)
    out[#out + 1] = key .. "=" .. value .. "\0"
  end
  add("token", token)
  for _, word in ipairs(body.argv) do add("argv", word) end
  for _, entry in ipairs(body.environment) do add("env", entry) end
  add("cwd", body.working_directory)
  add("user", body.user)
  add("uid", body.uid)
  add("gid", body.gid)
  for _, volume in ipairs(body.volumes or {}) do
    local how = volume.kind == "output" and "w" or volume.is_file and "f" or "r"
    add("drive", string.format("%s %s %s", volume.device, how, volume.target))
  end
  for _, name in ipairs(body.scripts or {}) do
    add("script", name)
    add("script_data", scripts[name])
  end
  return table.concat(out)
end

--- The user's archive, then ours.
---@return string? bytes, string? err, string? code
function guest.initrd(body, scripts, token)
  local init, err, code = read(build.libexec .. "/exhost-init", "exhost's init for guests")
  if not init then return nil, err, code end
  local ours = cpio.archive {
    { "dev", folder = true }, { "dev/console", device = { 5, 1 } },
    { "exhost", folder = true },
    { "exhost/init", data = init, mode = 493 },
    { "exhost/job", data = guest.job(body, scripts, token), mode = 256 },
  }
  if not body.initrd then return ours end
  local first
  first, err, code = read(body.initrd, "initrd")
  if not first then return nil, err, code end
  return cpio.append(first, ours)
end

return guest
