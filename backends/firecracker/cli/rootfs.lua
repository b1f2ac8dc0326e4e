--- exhost firecracker-rootfs: a root file system for microVMs, from a container image or a folder.

local context = require "exhost.cli.context"
local json = require "exhost.json"
local rootfs = require "backends.firecracker.rootfs"
local units = require "exhost.units"

local DEFAULT_FREE = 256 * 1024 * 1024

--- The words of a request that the image's own settings stand for.
local function params(file, image)
  local made = { root_file_system = file }
  if not image then return made end
  made.entrypoint = image.Entrypoint and json.array(image.Entrypoint)
  made.cmd = image.Cmd and json.array(image.Cmd)
  made.environment = image.Env and json.array(image.Env)
  made.working_directory = image.WorkingDir ~= "" and image.WorkingDir or nil
  made.user = image.User ~= "" and image.User or nil
  return made
end

local function say(ctx, file, told)
  local made = params(file, told.image)
  if ctx.json then
    return ctx:print_json { file = file, bytes = told.bytes, params = made }
  end
  ctx:print(string.format("%s, %s", file, units.format_size(told.bytes)))
  for _, name in ipairs { "entrypoint", "cmd", "environment", "working_directory", "user" } do
    if made[name] then ctx:print(string.format("  %-18s %s", name, json.encode(made[name]))) end
  end
  return 0
end

local function run(ctx, parsed)
  local file = parsed.output and context.absolute(parsed.output)
  local from = (parsed.image and 1 or 0) + (parsed.folder and 1 or 0)
  if not file then return ctx:usage "firecracker-rootfs: -o FILE is required" end
  if from ~= 1 then
    return ctx:usage "firecracker-rootfs: expected --image IMAGE or --folder DIR, one of them"
  end
  local free, err = DEFAULT_FREE, nil
  if parsed.free then free, err = units.size(parsed.free) end
  if not free then return ctx:usage("firecracker-rootfs: --free: " .. err) end
  local told, code
  told, err, code = rootfs.make(file, { image = parsed.image, engine = parsed.engine,
    folder = parsed.folder and context.absolute(parsed.folder), free = free })
  if not told then return ctx:fail(err, code) end
  return say(ctx, file, told)
end

return {
  usage = "firecracker-rootfs -o FILE (--image IMAGE | --folder DIR) [OPTIONS]",
  no_words = true,
  summary = "make a root file system for microVMs; exhost's own init comes with each start",
  options = {
    { "-o", "--output", key = "output", value = "FILE", help = "the image; must not be there yet" },
    { "--image", key = "image", value = "IMAGE",
      help = "what a container of it would find; its command and environment are printed" },
    { "--folder", key = "folder", value = "DIR", help = "what lies in a folder, as it is" },
    { "--engine", key = "engine", value = "PROGRAM",
      help = "what has the image: docker, podman or a path (default: the first that is there)" },
    { "--free", key = "free", value = "SIZE",
      help = "room to write in beside the content (default: 256m)" },
  },
  run = run,
}
