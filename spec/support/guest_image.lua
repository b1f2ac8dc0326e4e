--- A kernel and a first file system for specs: what every guest finds is busybox.

local cpio = require "backends.firecracker.cpio"
local write = require "support.write"

local guest_image = {}

local BUSYBOX = { "/bin/busybox", "/usr/bin/busybox" }
local APPLETS = { "sh", "sleep", "echo", "printf", "true", "false", "cat", "id", "ls", "kill",
  "env", "pwd", "head", "dd", "seq", "mount", "ps", "test", "touch", "rm", "stat" }

local function read(path)
  local file = io.open(path, "rb")
  local data = file and file:read("*a")
  if file then file:close() end
  return data
end

--- The static shell of this host.
function guest_image.busybox()
  for _, path in ipairs(BUSYBOX) do
    local data = read(path)
    if data then return data end
  end
  error("no busybox: install busybox-static", 0)
end

--- The archive.
function guest_image.initrd()
  local entries = { { "bin", folder = true }, { "usr", folder = true }, { "etc", folder = true },
    { "usr/bin", folder = true }, { "bin/busybox", data = guest_image.busybox(), mode = 493 } }
  for _, name in ipairs(APPLETS) do
    entries[#entries + 1] = { "bin/" .. name, link = "busybox" }
    entries[#entries + 1] = { "usr/bin/" .. name, link = "../../bin/busybox" }
  end
  return cpio.archive(entries)
end

--- A file that the fake takes for a kernel.
---@param what string? what it does instead of running an init
function guest_image.kernel(what)
  return "\127ELF\n" .. (what and "fake: " .. what .. "\n" or "")
end

--- Write both into a folder.
function guest_image.write(folder)
  write(folder .. "/kernel", guest_image.kernel())
  write(folder .. "/initrd", guest_image.initrd())
end

return guest_image
