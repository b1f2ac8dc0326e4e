--- What `exhost doctor` says of microVMs on this machine.

local ext4 = require "backends.firecracker.ext4"
local host = require "backends.firecracker.host"
local jailer = require "backends.firecracker.jailer"

local function finding(name, status, found, advice)
  return { name = "firecracker " .. name, status = status, found = found, advice = advice }
end

local function kvm()
  local file, err = io.open("/dev/kvm", "r+b")
  if file then
    file:close()
    return finding("kvm", "ok", "/dev/kvm can be opened")
  end
  return finding("kvm", "warn", err, "load the module of this processor (kvm_intel, kvm_amd), or "
    .. "let this user open it (group kvm)")
end

local function tools()
  for _, name in ipairs { "mke2fs", "debugfs" } do
    local path, err = ext4.program(name)
    if not path then
      return finding("volumes", "warn", err, "without it microVMs have no Inputs and Outputs")
    end
  end
  return finding("volumes", "ok", "mke2fs and debugfs")
end

local function jail(backend, binary)
  local found, err = jailer.facts(backend.own, binary, backend.state_dir)
  if not found then
    return finding("jailer", "warn", err, "no microVM starts until this is mended")
  end
  if found.jailer then
    return finding("jailer", "ok", string.format("%s, user ids from %.0f on, jails in %s",
      found.jailer, backend.own.jail_uid_first, found.base or "the state folder"))
  end
  return finding("jailer", "warn", found.why, "with a jailer, as root, each monitor has a user "
    .. "and a root folder of its own")
end

--- Binary, jailer, KVM, and what volumes need. Suspends.
---@param backend exhost.FirecrackerBackend
return function(backend)
  local binary, err = host.binary(backend.settings)
  local version
  if binary then version, err = host.version(backend.versions, binary) end
  if not version then
    return { finding("binary", "warn", err, "without one other backends work"), kvm(), tools() }
  end
  return { finding("binary", "ok", string.format("%s, %s", binary, version.text)),
    jail(backend, binary), kvm(), tools() }
end
