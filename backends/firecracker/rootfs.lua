--- Root file systems: what an engine's image or a folder holds, as one ext4 file.

local async = require "exhost.async"
local capture = require "exhost.capture"
local dirs = require "exhost.dir"
local ext4 = require "backends.firecracker.ext4"
local json = require "exhost.json"
local system = require "exhost.system"
local text = require "exhost.text"

local rootfs = {}

local PULL_SECONDS, CALL_SECONDS = 3600, 60
local ENGINES = { "docker", "podman" }
-- What an engine's program reads of its user's environment.
local ENVIRONMENT = { "HOME", "PATH", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_HOST",
  "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "CONTAINER_HOST" }
local TAR, TREE, IMAGE, STATE = "image.tar", "root", "image.ext4", "owners"

local function environment()
  local list = {}
  for _, name in ipairs(ENVIRONMENT) do
    local value = os.getenv(name)
    if value then list[#list + 1] = name .. "=" .. value end
  end
  return list
end

local function is_there(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

--- A program by its name, along PATH.
local function find(name)
  if name:find("/", 1, true) then return is_there(name) and name or nil end
  for folder in (os.getenv "PATH" or "/usr/local/bin:/usr/bin:/bin"):gmatch("[^:]+") do
    if is_there(folder .. "/" .. name) then return folder .. "/" .. name end
  end
end

local function find_engine(asked)
  for _, name in ipairs(asked and { asked } or ENGINES) do
    local path = find(name)
    if path then return path end
  end
  return nil, string.format("%s is not there: an image comes from an engine; give --engine, or "
    .. "--folder with what is in it", asked or table.concat(ENGINES, " or ")), "unavailable"
end

--- Run a program to its end. Suspends.
local function call(argv, what, options)
  options = options or {}
  local out, why, printed = capture.run(argv, { seconds = options.seconds or PULL_SECONDS,
    env = environment(), fds = options.fds, errors = options.errors ~= false })
  if out then return out end
  local words = (printed or ""):gsub("%s+", " "):sub(-300)
  local code = (why == "timeout" or why == "cancelled") and why or "engine"
  return nil, string.format("%s: %s%s", what, why, words ~= "" and ": " .. words or ""), code
end

local function last_line(printed)
  return printed:match("([^\n]+)%s*$")
end

--- What a container of the image would find, as an archive in the folder. Suspends.
---@return table? config the image's own settings
local function export(work, options)
  local engine, err, code = find_engine(options.engine)
  if not engine then return nil, err, code end
  if options.image:sub(1, 1) == "-" then
    return nil, "expected the name of an image, got " .. text.quote(options.image), "invalid"
  end
  -- Never started: the word is for images that have no command.
  local printed
  printed, err, code = call({ engine, "create", options.image, "true" }, "create a container")
  local id = printed and last_line(printed)
  if not id then return nil, err or "create a container: no id", code or "engine" end
  local config
  printed, err, code = call({ engine, "image", "inspect", "--format", "{{json .Config}}",
    options.image }, "inspect the image", { errors = false })
  if printed then config = json.decode(printed) end
  if printed and type(config) ~= "table" then err, code = "inspect the image: no JSON", "engine" end
  if type(config) == "table" then
    printed, err, code = call({ engine, "export", "-o", "/proc/self/fd/5/" .. TAR, id },
      "export the container", { fds = { [5] = work:fd() } })
    if not printed then config = nil end
  end
  async.shield(CALL_SECONDS, call, { engine, "rm", id }, "remove the container")
  return type(config) == "table" and config or nil, err, code
end

local function path_of(dir)
  return (system.real_path("/proc/self/fd/" .. dir:fd()))
end

--- Who is not root needs fakeroot, which keeps in mind whose each file is.
---@return string[]? words before a program's own
local function as_root(work, saved)
  if system.ids() == 0 then return {} end
  local path = find "fakeroot"
  if not path then
    return nil, "owners of files need root, or fakeroot: install it, or run this as root",
      "unavailable"
  end
  -- By its path: fakeroot's own process has not our descriptors.
  return { path, saved and "-i" or "-s", path_of(work) .. "/" .. STATE, "--" }
end

local function unpack_archive(work)
  local before, err, code = as_root(work)
  if not before then return nil, err, code end
  local tree
  tree, err = work:open(TREE, true)
  if not tree then return nil, err, "io" end
  tree:close()
  local argv = before
  for _, word in ipairs { find "tar" or "tar", "-x", "-p", "--numeric-owner", "--same-owner", "-f",
    "/proc/self/fd/5/" .. TAR, "-C", "/proc/self/fd/5/" .. TREE } do
    argv[#argv + 1] = word
  end
  local done
  done, err, code = call(argv, "unpack the image", { fds = { [5] = work:fd() } })
  work:unlink(TAR)
  return done, err, code
end

--- Make the file, in a folder of ours beside it. Suspends.
local function build(work, options)
  local image, err, code, source
  if options.image then
    image, err, code = export(work, options)
    if not image then return nil, err, code end
    local done
    done, err, code = unpack_archive(work)
    if not done then return nil, err, code end
    source, err = work:open(TREE)
  else
    source, err = dirs.open(options.folder)
  end
  if not source then return nil, (options.folder or "") .. ": " .. err, "io" end
  local measured, made, bytes
  measured, err, code = ext4.measure(source)
  if measured then
    bytes = ext4.size { bytes = measured.bytes + options.free, inodes = measured.inodes }
    -- Inodes for what will be written, as mke2fs would: one for 16 KiB.
    made, err, code = ext4.make(work, IMAGE, bytes, { source = source, journal = true,
      inodes = measured.inodes + options.free / 16384,
      before = options.image and as_root(work, true) })
  end
  source:close()
  if not made then return nil, err, code end
  return { bytes = bytes, image = image }
end

--- Make a root file system. Suspends; leaves nothing but the file.
---@param file string absolute; must not be there
---@param options { image: string?, engine: string?, folder: string?, free: number }
---@return table? { bytes: number, image: table? } image: the engine's settings of it
---@return string? err, string? code
function rootfs.make(file, options)
  local folder, name = file:match("^(.*)/([^/]+)$")
  if not folder then return nil, file .. ": expected the name of a file", "invalid" end
  local dir, err = dirs.open(folder == "" and "/" or folder)
  if not dir then return nil, string.format("open %s: %s", folder, err), "io" end
  if dir:stat(name) then
    dir:close()
    return nil, file .. " is there already: remove it, or give another name", "invalid"
  end
  local temporary = ".exhost-rootfs-" .. system.random_hex(6)
  local told, code
  local work
  work, err = dir:open(temporary, true)
  if work then
    told, err, code = build(work, options)
    if told then
      local ok
      ok, err = work:rename_new(IMAGE, dir, name)
      if not ok then told = nil end
    end
    work:close()
  end
  dir:remove_tree(temporary)
  dir:close()
  if not told then return nil, string.format("make %s: %s", file, err), code or "io" end
  return told
end

return rootfs
