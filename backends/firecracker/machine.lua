--- From a request to the machine that is booted: the body of the plan. Pure.

local jail = require "backends.firecracker.jail"
local json = require "exhost.json"
local metadata = require "backends.firecracker.metadata"
local network = require "backends.firecracker.network"
local text = require "exhost.text"
local volumes = require "backends.firecracker.volumes"

local machine = {}

local MIB = 1024 * 1024
local DEFAULT_MIB = 256
local MAX_VCPUS = 32
local OVERHEAD_MIB, OVERHEAD_SHARE = 32, 64 -- page tables grow with the memory
local MAX_COMMAND_LINE = 2047
local PORT = 1024
local GUEST_CID = 3
local PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
-- The reset that ends a machine: without these two a panic or a reboot never does.
local BASE_ARGS = "console=ttyS0 reboot=k panic=1 pci=off quiet"

--- In the execution's folder, and all that a machine leaves behind.
machine.FOLDER = "vm"
machine.SOCKET = "v.sock"
machine.REPORT_SOCKET = machine.SOCKET .. "_" .. PORT

local UNSUPPORTED = {
  { "keys", "Keys" }, { "ports_to_bind", "PortsToBind" },
}

local function unsupported(request)
  for _, item in ipairs(UNSUPPORTED) do
    local asked = request[item[1]]
    if asked and #asked > 0 then
      return string.format("%s: %s not supported by the firecracker executor", item[1], item[2])
    end
  end
  local gpus = request.resources and request.resources.gpus
  if gpus and #gpus > 0 then
    return "resources.gpus: GPUs are not supported by the firecracker executor"
  end
end

--- What the monitor may use: its guest's memory and something for itself, the cores that were
--- asked for, which need not be whole.
function machine.limits(size, cores)
  local own = OVERHEAD_MIB + math.ceil(size.mem_size_mib / OVERHEAD_SHARE)
  return { memory = (size.mem_size_mib + own) * MIB, cores = cores > 0 and cores or nil }
end

--- Bytes become MiB and cores whole ones, both rounded up.
function machine.size(resources, host)
  local ram = resources.ram and resources.ram.size or 0
  local cores = resources.cpu and resources.cpu.cores or 0
  local vcpus = math.max(math.ceil(cores), 1)
  if vcpus > MAX_VCPUS then
    return nil, string.format("resources.cpu.cores: a microVM has at most %d, got %g",
      MAX_VCPUS, cores)
  end
  if host.memory and ram > host.memory then
    return nil, string.format("resources.ram.size: %.0f bytes are more than this host's %.0f",
      ram, host.memory)
  end
  local mib = ram > 0 and math.ceil(ram / MIB) or DEFAULT_MIB
  return { vcpu_count = vcpus, mem_size_mib = mib, smt = false }
end

local function fnv(value, hash)
  local bit = require "bit"
  for i = 1, #value do
    hash = bit.bxor(hash, value:byte(i))
    -- hash * 16777619, in parts that a double holds exactly
    local low, high = bit.band(hash, 0xffff), bit.rshift(hash, 16)
    local mixed = (low * 16777619 + (high * 16777619 % 65536) * 65536) % 2 ^ 32
    hash = bit.tobit(mixed)
  end
  return hash
end

--- The name that the monitor takes: 64 letters, digits and "-". Others get one made of all
--- their bytes, with a beginning that no id kept as it is has.
function machine.short_name(id)
  if #id <= 64 and id:find("^[A-Za-z0-9-]+$") and not id:find("^x%-%-") then return id end
  local parts = { "x--", (id:gsub("[^A-Za-z0-9]", "-")):sub(1, 28), "-" }
  for seed = 1, 4 do
    parts[#parts + 1] = string.format("%08x", bit.band(fnv(seed .. id, -2128831035), -1) % 2 ^ 32)
  end
  return table.concat(parts)
end

local function command(params)
  local argv = json.array {}
  for _, list in ipairs { params.entrypoint or {}, params.cmd or {} } do
    for _, word in ipairs(list) do argv[#argv + 1] = word end
  end
  return argv
end

local function environment(request)
  local list, at = json.array {}, {}
  local function set(entry)
    local key = entry:match("^([^=]*)=")
    at[key] = at[key] or #list + 1
    list[at[key]] = entry
  end
  set("PATH=" .. PATH)
  set "HOME=/"
  for _, entry in ipairs(request.engine_spec.params.environment or {}) do set(entry) end
  set("EXHOST_EXECUTION=" .. request.execution_id)
  return list
end

--- The kernel's command line. With a command our init is first and enters the disk itself.
local function boot_args(params, runs)
  local words = { BASE_ARGS }
  if params.kernel_args then words[#words + 1] = params.kernel_args end
  if runs then
    words[#words + 1] = "rdinit=/exhost/init exhost.report=vsock:" .. PORT
    if params.root_file_system then words[#words + 1] = "exhost.root=/dev/vda" end
    if params.root_read_only then words[#words + 1] = "exhost.ro" end
    if params.network then words[#words + 1] = network.word(params.network) end
  end
  return table.concat(words, " ")
end

--- What the monitor reads: paths of ours are in the execution's folder, its working one.
local function config(params, runs, size, list, jailed)
  local drives = json.array {}
  if params.root_file_system then
    drives[1] = { drive_id = "root",
      path_on_host = jailed and jail.DISK or params.root_file_system,
      is_root_device = not runs, is_read_only = params.root_read_only or false }
  end
  for _, volume in ipairs(list) do
    drives[#drives + 1] = { drive_id = volume.device, path_on_host = volume.image,
      is_root_device = false, is_read_only = volume.kind == "input" }
  end
  local initrd = params.initrd
  if runs or jailed and initrd then initrd = jail.INITRD end
  return {
    ["boot-source"] = {
      kernel_image_path = jailed and jail.KERNEL or params.kernel_image, initrd_path = initrd,
      boot_args = boot_args(params, runs) },
    drives = drives,
    ["machine-config"] = size,
    ["mmds-config"] = metadata.config(params),
    vsock = runs and { guest_cid = GUEST_CID, uds_path = machine.SOCKET } or nil,
  }
end

local function script_names(scripts)
  local names = json.array {}
  for name in pairs(scripts) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- What is not kept of the request, and what the user may not expect.
local function tell(request, facts, body)
  local params, disk = request.engine_spec.params, (request.resources or {}).disk
  local function warn(words) body.warnings[#body.warnings + 1] = words end
  for i, limit in ipairs(facts.unenforced or {}) do body.unenforced[i] = limit end
  local written = params.root_file_system and not params.root_read_only
  if disk and (disk.size or 0) > 0 and written then
    body.unenforced[#body.unenforced + 1] = "disk limit (the disk is as large as its image)"
  end
  for i, volume in ipairs(request.inputs or {}) do
    if not volume.readonly then
      warn(string.format("inputs[%d]: the guest gets a copy that it cannot write", i))
    end
  end
  if request.gateway_ip then
    warn "gateway_ip: not used: a guest asks the name servers that its own files name"
  end
  if not body.argv then
    warn("without a command nothing in the guest tells how it ended: exit_code will be missing")
  end
  if body.jail and written then
    warn("engine_spec.params.root_file_system: in a jail the guest writes to a copy of it, which "
      .. "goes with the machine")
  elseif facts.jail and facts.jail.why then
    local told = facts.jail.named and body.unenforced or body.warnings
    told[#told + 1] = facts.jail.why
  end
end

--- The body of the plan, or why not.
---@param settings table of the backend's own
---@return table? body, string? err, string? code
function machine.plan(request, facts, settings)
  local why = unsupported(request)
  if why then return nil, why, "unsupported" end
  local params = request.engine_spec.params
  local argv = command(params)
  local runs = #argv > 0
  local size, err = machine.size(request.resources or {}, facts)
  if not size then return nil, err, "invalid" end
  local scripts = request.provision_scripts and script_names(request.provision_scripts)
  if scripts and #scripts > 0 and not runs then
    return nil, "provision_scripts: they are for a command, and none is given", "invalid"
  end
  local list
  list, err = volumes.plan(request, facts.volumes or {}, { runs = runs,
    first = params.root_file_system and 1 or 0, size = settings.output_size })
  if not list then return nil, err, "invalid" end
  local jailed = facts.jail and facts.jail.jailer and true
  local made = config(params, runs, size, list, jailed)
  if #made["boot-source"].boot_args > MAX_COMMAND_LINE then
    return nil, string.format("engine_spec.params.kernel_args: the kernel's command line would "
      .. "have %d bytes, above %d", #made["boot-source"].boot_args, MAX_COMMAND_LINE), "invalid"
  end
  local uid, gid = (params.user or ""):match("^(%d+):?(%d*)$")
  local body = {
    config = made, name = machine.short_name(request.execution_id), binary = facts.binary,
    argv = runs and argv or nil, environment = runs and environment(request) or nil,
    working_directory = runs and (params.working_directory or "/") or nil,
    user = not uid and params.user or nil, uid = tonumber(uid),
    gid = uid and (tonumber(gid) or tonumber(uid)),
    disk = params.root_file_system, disk_shared = params.root_read_only, initrd = params.initrd,
    jail = jailed and facts.jail or nil,
    kernel = params.kernel_image, network = params.network,
    metadata = params.mmds_message and true or nil,
    scripts = scripts and #scripts > 0 and scripts or nil,
    volumes = #list > 0 and list or nil,
    limits = machine.limits(size, ((request.resources or {}).cpu or {}).cores or 0),
    timeout = request.timeout, stop_signal = request.stop_signal,
    stop_grace = request.stop_grace,
    unenforced = json.array {}, warnings = json.array {},
  }
  tell(request, facts, body)
  return body
end

--- What a failed step was about.
function machine.describe_step(body, step)
  if step == "exec" then return (body.argv or {})[1] or body.binary or "" end
  if step == "script" then return (body.scripts or {})[1] or "" end
  if step == "cwd" then return body.working_directory or "" end
  if step == "user" and body.user then
    return text.quote(body.user) .. " (names have to be in the guest's passwd and group)"
  end
  if step == "user" then return string.format("%d:%d", body.uid or -1, body.gid or -1) end
  if step == "mount" then
    local targets = {}
    for i, volume in ipairs(body.volumes or {}) do targets[i] = text.quote(volume.target) end
    return table.concat(targets, " or ")
  end
  if step == "network" then return "with " .. text.quote((body.network or {}).address or "") end
  if step == "root" then return text.quote(body.disk or "") end
  if step == "disk" then
    return text.quote(body.disk or "") .. " (while a machine writes it no other one has it)"
  end
  return ""
end

return machine
