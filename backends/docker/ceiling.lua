--- The operator's limits, held against the final body of a container. Secure by default:
-- what the ceiling does not grant is denied.
--
-- A ceiling: { privileged = true, capabilities = {"NET_ADMIN"} or "all", namespaces = {"host"},
-- networks = {…}, binds = {"/srv"}, devices = {"/dev/kfd"}, runtimes = {…}, users = {deny = {…}},
-- memory = bytes, cores = n, pids = n, security_opt = {…} }.

local fields = require "backends.docker.fields"
local hostpaths = require "exhost.hostpaths"

local ceiling = {}

local NAMESPACES = { "PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode" }
-- Harmless unless somebody says otherwise.
local DEFAULT_DEVICES = { ["/dev/kfd"] = true }

local function denied(field, value, setting)
  return nil, string.format("%s = %s is denied by the operator's ceiling (%s would allow it)",
    field, tostring(value), setting), "denied"
end

local function has(list, value)
  if list == "all" then return true end
  for _, item in ipairs(type(list) == "table" and list or {}) do
    if item == value then return true end
  end
  return false
end

--- CAP_SYS_ADMIN, sys_admin and SYS_ADMIN are one.
local function capability(name)
  return (name:upper():gsub("^CAP_", ""))
end

local function capabilities(host, allowed, note)
  local granted = allowed.capabilities
  if type(granted) == "table" then
    granted = {}
    for i, name in ipairs(allowed.capabilities) do granted[i] = capability(tostring(name)) end
  end
  for _, name in ipairs(host.CapAdd or {}) do
    if not has(granted, capability(name)) then
      return denied("HostConfig.CapAdd", name, "ceiling.capabilities")
    end
    note("CapAdd", "ceiling.capabilities")
  end
  return true
end

local function namespaces(host, allowed, note)
  for _, field in ipairs(NAMESPACES) do
    local mode = host[field]
    if mode and mode ~= "" and mode ~= "private" and mode ~= "none"
      and not (field == "IpcMode" and mode == "shareable") then
      if not has(allowed.namespaces, mode) then
        return denied("HostConfig." .. field, mode, "ceiling.namespaces")
      end
      note(field, "ceiling.namespaces")
    end
  end
  local network = host.NetworkMode
  if network == "host" or network and network:find(":", 1, true) then -- container:ID, ns:PATH
    if not has(allowed.namespaces, network) then
      return denied("HostConfig.NetworkMode", network, "ceiling.namespaces")
    end
    note("NetworkMode", "ceiling.namespaces")
  elseif network and allowed.networks then
    if not has(allowed.networks, network) then
      return denied("HostConfig.NetworkMode", network, "ceiling.networks")
    end
    note("NetworkMode", "ceiling.networks")
  end
  return true
end

-- Beside what gives every host away; bound only where the ceiling names it.
local SENSITIVE = { "/root/.docker", "/var/lib/containerd", "/var/lib/docker" }

local function bind(field, source, allowed)
  if not source or source:sub(1, 1) ~= "/" then
    return nil, string.format("%s = %s is denied: not an absolute path", field, tostring(source)),
      "denied"
  end
  if not hostpaths.granted(source, allowed.binds, SENSITIVE) then
    return denied(field, source, "ceiling.binds")
  end
  return true
end

local function sources(host, allowed, note)
  for i, mount in ipairs(host.Mounts or {}) do
    local field = string.format("HostConfig.Mounts[%d].Source", i)
    if mount.Type == "bind" then
      local ok, err, code = bind(field, mount.Source, allowed)
      if not ok then return nil, err, code end
      if allowed.binds then note("Mounts", "ceiling.binds") end
    elseif mount.Type ~= "volume" and mount.Type ~= "tmpfs" then
      return denied(string.format("HostConfig.Mounts[%d].Type", i), mount.Type, "nothing")
    end
    local driver = mount.VolumeOptions and mount.VolumeOptions.DriverConfig
    if driver and driver.Options and driver.Options.device then
      local ok, err, code = bind(field, driver.Options.device, allowed)
      if not ok then return nil, err, code end
      if allowed.binds then note("Mounts", "ceiling.binds") end
    end
  end
  for i, text in ipairs(host.Binds or {}) do
    local source = text:match("^([^:]+):")
    if not source or source:sub(1, 1) ~= "/" then source = text end
    local ok, err, code = bind(string.format("HostConfig.Binds[%d]", i), source, allowed)
    if not ok then return nil, err, code end
    if allowed.binds then note("Binds", "ceiling.binds") end
  end
  return true
end

local function devices(host, allowed, note)
  for i, device in ipairs(host.Devices or {}) do
    local path = device.PathOnHost or ""
    local graphics = DEFAULT_DEVICES[path] or path:find("^/dev/dri/[%w_-]+$")
    local granted = allowed.devices and hostpaths.below(path, allowed.devices)
    if not granted and (allowed.devices or not graphics) then
      return denied(string.format("HostConfig.Devices[%d].PathOnHost", i), path, "ceiling.devices")
    end
    if granted then note("Devices", "ceiling.devices") end
  end
  local rule = host.DeviceCgroupRules and host.DeviceCgroupRules[1]
  if rule then return denied("HostConfig.DeviceCgroupRules", rule, "nothing") end
  return true
end

local function security(host, allowed, note)
  for _, option in ipairs(host.SecurityOpt or {}) do
    local tight = option == "no-new-privileges" or option == "no-new-privileges=true"
      or option == "no-new-privileges:true"
    if not tight and not has(allowed.security_opt, option) then
      return denied("HostConfig.SecurityOpt", option, "ceiling.security_opt")
    end
    if not tight then note("SecurityOpt", "ceiling.security_opt") end
  end
  for _, field in ipairs { "MaskedPaths", "ReadonlyPaths", "VolumesFrom" } do
    if host[field] and not (field == "VolumesFrom" and #host[field] == 0) then
      return denied("HostConfig." .. field, "a list", "nothing")
    end
  end
  for name, value in pairs(host.Sysctls or {}) do
    if not has(allowed.sysctls, name) then
      return denied("HostConfig.Sysctls." .. name, value, "ceiling.sysctls")
    end
    note("Sysctls", "ceiling.sysctls")
  end
  if host.OomScoreAdj and host.OomScoreAdj < 0 then
    return denied("HostConfig.OomScoreAdj", host.OomScoreAdj, "nothing")
  end
  if host.Runtime and not has(allowed.runtimes, host.Runtime) then
    return denied("HostConfig.Runtime", host.Runtime, "ceiling.runtimes")
  end
  if host.Runtime then note("Runtime", "ceiling.runtimes") end
  return true
end

local function amounts(host, allowed, note)
  -- More swap than memory is memory, too; 0 is twice the memory.
  local swap = host.MemorySwap and allowed.memory
  local limits = { Memory = { allowed.memory, "memory" }, MemorySwap = { swap, "memory" },
    NanoCpus = { allowed.cores and allowed.cores * 1e9, "cores" },
    PidsLimit = { allowed.pids, "pids" } }
  for field, limit in pairs(limits) do
    if limit[1] then
      local value = host[field] or 0
      if value <= 0 or value > limit[1] then
        return denied("HostConfig." .. field, value > 0 and value or "no limit",
          "ceiling." .. limit[2])
      end
      note(field, "ceiling." .. limit[2])
    end
  end
  return true
end

local function user(body, allowed)
  local function canonical(name) -- "00" and "+0" are 0 for an engine
    if name == "" or name == "root" then return "0" end
    local sign, digits = name:match("^([+-]?)0*(%d+)$")
    return digits and (sign == "-" and digits ~= "0" and "-" or "") .. digits or name
  end
  local name = canonical((body.User or ""):match("^[^:]*"))
  for _, entry in ipairs(allowed.users and allowed.users.deny or {}) do
    if canonical(tostring(entry)) == name then
      return denied("User", body.User or "the image's", "ceiling.users.deny")
    end
  end
  return true
end

--- Hold a body against the ceiling.
---@param body table what would be sent to the engine
---@param allowed table
---@param granted? fun(field: string, setting: string) is told what lets which field through
---@return true? ok, string? err, string? code "denied"
function ceiling.check(body, allowed, granted)
  local host = body.HostConfig or {}
  local function note(field, setting)
    if granted then granted("HostConfig." .. field, setting) end
  end
  local ok, err = fields.check(body)
  if not ok then return nil, err, "denied" end
  if host.Privileged and not allowed.privileged then
    return denied("HostConfig.Privileged", true, "ceiling.privileged")
  end
  if host.Privileged then note("Privileged", "ceiling.privileged") end
  for _, part in ipairs { capabilities, namespaces, sources, devices, security, amounts } do
    local code
    ok, err, code = part(host, allowed, note)
    if not ok then return nil, err, code end
  end
  return user(body, allowed)
end

return ceiling
