--- The images of a machine's volumes.

local dirs = require "exhost.dir"
local ext4 = require "backends.firecracker.ext4"
local system = require "exhost.system"

local drives = {}

local FILE = "data" -- in the image of an input that is one file: core/guest/drives.c

local SIGXFSZ = 25

local function make_input(where, volume, limit)
  if system.real_path(volume.source) ~= volume.source then
    return nil, "it has changed since it was checked", "invalid"
  end
  local dir, err, code
  if volume.is_file then
    local folder = volume.device .. ".d"
    local ok
    ok, err = where:mkdir(folder)
    dir = ok and where:open(folder)
    if dir then ok, err, code = ext4.copy(volume.source, dir, FILE, limit) end
    if err and err:find("signal " .. SIGXFSZ, 1, true) then
      err, code = string.format("it is above backends.firecracker.input_limit, %.0f bytes", limit),
        "invalid"
    end
    if not ok then
      if dir then dir:close() end
      return nil, err, code
    end
  else
    dir, err = dirs.open(volume.source, { no_follow = true })
    if not dir then return nil, err, "io" end
  end
  local measured, made
  measured, err, code = ext4.measure(dir)
  if measured and measured.bytes > limit then
    measured, err, code = nil, string.format("%.0f bytes are above "
      .. "backends.firecracker.input_limit, %.0f", measured.bytes, limit), "invalid"
  end
  if measured then
    made, err, code = ext4.make(where, volume.image, ext4.size(measured),
      { source = dir, inodes = measured.inodes })
  end
  dir:close()
  if volume.is_file then where:remove_tree(volume.device .. ".d") end
  return made, err, code
end

--- Make the images, in the machine's folder. Suspends.
---@param where exhost.dir
---@param body table the plan
---@param settings table backends.firecracker
---@return true? ok, string? err, string? code
function drives.make(where, body, settings)
  for _, volume in ipairs(body.volumes or {}) do
    local ok, err, code
    if volume.kind == "input" then
      ok, err, code = make_input(where, volume, settings.input_limit)
    else
      ok, err, code = ext4.make(where, volume.image, volume.size, {})
    end
    if not ok then
      return nil, string.format("%s: make a drive of it: %s", volume.field, tostring(err)),
        code or "io"
    end
  end
  return true
end

--- Inputs are of no use after the end.
function drives.drop_inputs(where, body)
  for _, volume in ipairs(body.volumes or {}) do
    if volume.kind == "input" then where:unlink(volume.image) end
  end
end

return drives
