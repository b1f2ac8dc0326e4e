--- The images of a machine's volumes.

local dirs = require "exhost.dir"
local ext4 = require "backends.firecracker.ext4"

local drives = {}

local FILE = "data" -- in the image of an input that is one file: core/guest/drives.c

local SIGXFSZ = 25

-- Somebody put something else into its place.
local CHANGED = { ELOOP = true, ENOTDIR = true, ENOENT = true, EINVAL = true }

--- What was checked, held: a name can lead elsewhere a moment later.
---@return exhost.dir|exhost.fd? source, string? err, string? code
local function open_source(volume)
  local path = volume.is_file and volume.source:match("^(.*)/[^/]*$") or volume.source
  local dir, err, code = dirs.open(path == "" and "/" or path, { no_links = true })
  local source = dir
  if dir and volume.is_file then
    source, err, code = dir:file(volume.source:match("[^/]*$"))
    dir:close()
  end
  if source then return source end
  if not CHANGED[code] then return nil, err, "io" end
  return nil, "it has changed since it was checked: " .. err, "invalid"
end

--- A folder with that one file in it.
---@return exhost.dir? dir, string? err, string? code
local function wrap(where, folder, file, limit)
  local ok, err = where:mkdir(folder)
  local dir, code
  if ok then dir, err = where:open(folder) end
  if not dir then return nil, err, "io" end
  ok, err, code = ext4.copy(file, dir, FILE, limit)
  if ok then return dir end
  dir:close()
  if err:find("signal " .. SIGXFSZ, 1, true) then
    return nil, string.format("it is above backends.firecracker.input_limit, %.0f bytes", limit),
      "invalid"
  end
  return nil, err, code
end

local function make_image(where, volume, dir, limit)
  local measured, err, code = ext4.measure(dir)
  if not measured then return nil, err, code end
  if measured.bytes > limit then
    return nil, string.format("%.0f bytes are above backends.firecracker.input_limit, %.0f",
      measured.bytes, limit), "invalid"
  end
  return ext4.make(where, volume.image, ext4.size(measured),
    { source = dir, inodes = measured.inodes })
end

local function make_input(where, volume, limit)
  local folder = volume.device .. ".d"
  local source, err, code = open_source(volume)
  if not source then return nil, err, code end
  local dir, made = source, nil
  if volume.is_file then
    dir, err, code = wrap(where, folder, source, limit)
    source:close()
  end
  if dir then
    made, err, code = make_image(where, volume, dir, limit)
    dir:close()
  end
  if volume.is_file then where:remove_tree(folder) end
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
