--- What is made for a machine before it starts: files in its folder or jail, and its device.

local drives = require "backends.firecracker.drives"
local guest = require "backends.firecracker.guest"
local jail = require "backends.firecracker.jail"
local json = require "exhost.json"
local machine = require "backends.firecracker.machine"
local metadata = require "backends.firecracker.metadata"
local network = require "backends.firecracker.network"

local files = {}

--- The plan's, with the name of the device that is made for it.
local function config_of(execution)
  local config = {}
  for key, value in pairs(execution.plan.config) do config[key] = value end
  config["network-interfaces"] = execution.record.tap and network.config(execution.record.tap)
  return config
end

--- Write what the monitor and the relay read. The archive holds the job, secrets and all: it is
--- ours alone, and goes once the guest has it. Suspends.
---@param backend exhost.FirecrackerBackend
---@return true? ok, string? err, string? code
function files.write(backend, execution, token)
  local body = execution.plan
  local dir, err = execution.dir:open(machine.FOLDER)
  if not dir then return nil, "open the machine's folder: " .. err, "io" end
  local where, ok, code = dir, true, nil
  if body.jail then where, err = jail.open(dir, execution, true) end
  if not where then
    dir:close()
    return nil, "make the jail: " .. err, "io"
  end
  if body.argv then
    local bytes
    bytes, err, code = guest.initrd(body, execution.request.provision_scripts, token)
    ok = bytes
    if ok then ok, err = where:write(jail.INITRD, bytes) end
  end
  if ok then ok, err, code = drives.make(where, body, backend.own) end
  if ok then ok, err = where:write("config.json", json.encode(config_of(execution))) end
  if ok and body.metadata then
    ok, err = where:write(metadata.FILE,
      metadata.text(execution.request.engine_spec.params.mmds_message))
  end
  if ok then ok, err = where:write("vmm.log", "") end
  if ok and body.jail then ok, err, code = jail.fill(where, body, execution.record.jail_uid) end
  if ok then ok, err = dir:mkfifo("guest") end
  if ok and body.network then
    ok, err, code = network.make(backend.state_dir, execution.record.tap, body.network,
      execution.record.jail_uid)
  end
  if where ~= dir then where:close() end
  dir:close()
  if not ok then return nil, "prepare the machine: " .. tostring(err), code or "io" end
  return true
end

return files
