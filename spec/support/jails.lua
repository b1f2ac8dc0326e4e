--- Machines in jails for specs, on the stand-ins for monitor and jailer.

local fs = require "exhost.fs"
local jailer = require "backends.firecracker.jailer"
local machines = require "support.machines"
local shell = require "support.shell"
local state = require "exhost.state"

local jails = {}

jails.JAILER = io.popen("pwd"):read "*l" .. "/spec/support/fake_jailer"
jails.FIRST = 1900000000 -- of the user ids

--- Of the mount that a path is on.
function jails.mount_options(path)
  return jailer.mount_options(assert(fs.read "/proc/self/mountinfo"), path)
end

--- Whether they can lie where the specs' folders are, which some systems mount without devices.
function jails.possible()
  return not jails.mount_options("/tmp"):find "nodev"
end

--- As machines.with.
---@param more table? of backends.firecracker
function jails.with(body, more)
  if not jails.possible() then
    return function() getfenv(body).pending "needs device nodes in /tmp, which is mounted nodev" end
  end
  local own = { binary = machines.BINARY, jailer = jails.JAILER }
  for key, value in pairs(more or {}) do own[key] = value end
  return machines.with(body, { backends = { firecracker = own } })
end

jails.shell = shell

--- The machine's folder.
function jails.folder(path, id)
  return path .. "/state/spec/executions/" .. id .. "/vm"
end

--- The user that an execution was given.
function jails.uid_of(ex, id)
  local dir = ex.state:open_execution(id)
  local uid = state.read(dir).jail_uid
  dir:close()
  return uid
end

--- Those that are taken, a line each.
function jails.uids(path)
  return jails.shell("ls " .. path .. "/state/spec/jail-uids | grep -v lock")
end

return jails
