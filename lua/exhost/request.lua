--- The request: one schema that validates, normalises and documents it (design.md section
-- 3). It takes the JSON that Go marshals from DMS's ExecutionRequest, and the same names in
-- snake_case, which is what comes out. What is an engine's own (`engine_spec.params`) is
-- its backend's schema.

local checks = require "exhost.request_checks"
local schema = require "exhost.schema"

local request = {}

local ID = { type = "string", pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]+$", max_length = 128,
  what = "2 to 128 letters, digits, _ . - (the first a letter or digit)" }

local function id(names, doc)
  return { type = "string", names = names, doc = doc, pattern = ID.pattern,
    max_length = ID.max_length, what = ID.what }
end

local ABSOLUTE = { pattern = "^/", what = "an absolute path" }

local function volume_list(names, doc)
  return { type = "list", names = names, doc = doc, of = { type = "record", fields = {
    type = { type = "string", names = { "Type" }, doc = "bind" },
    source = { type = "string", names = { "Source" }, required = true, not_empty = true,
      doc = "host path or volume name" },
    target = { type = "string", names = { "Target" }, required = true, not_empty = true,
      doc = "path in the workload" },
    readonly = { type = "boolean", names = { "ReadOnly", "read_only" } },
  } } }
end

local function whole(doc, names)
  return { type = "integer", min = 0, doc = doc, names = names }
end

local RESOURCES = { type = "record", unknown = "warn", names = { "Resources" },
  doc = "what the workload may use", fields = {
    cpu = { type = "record", names = { "CPU" }, fields = {
      cores = { type = "number", min = 0, names = { "Cores" },
        doc = "may be fractional; 0 is no limit" },
      clock_speed = { type = "number", names = { "ClockSpeed" } },
      threads = whole(nil, { "Threads" }), cache_size = whole(nil, { "CacheSize" }),
      model = { type = "string" }, vendor = { type = "string" },
      architecture = { type = "string" },
    } },
    ram = { type = "record", names = { "RAM" }, fields = {
      size = { type = "integer", min = 0, names = { "Size" }, check = checks.ram,
        doc = "bytes; 0 is no limit" },
      clock_speed = { type = "number", names = { "ClockSpeed" } }, type = { type = "string" },
    } },
    disk = { type = "record", names = { "Disk" }, fields = {
      size = { type = "number", min = 0, names = { "Size" }, doc = "bytes; 0 is no limit" },
      model = { type = "string" }, vendor = { type = "string" }, type = { type = "string" },
      interface = { type = "string" }, read_speed = { type = "number" },
      write_speed = { type = "number" },
    } },
    gpus = { type = "list", names = { "GPUs" }, of = { type = "record", check = checks.gpu,
      fields = {
        uuid = { type = "string" }, pci_address = { type = "string", no_nul = false,
          check = checks.pci_address, names = { "PCIAddress" } },
        vendor = { type = "string" }, model = { type = "string" },
        vram = { type = "number" }, index = { type = "number" },
      } }, doc = "GPUs by uuid or pci_address, never by index" },
  } }

request.SCHEMA = { type = "record", check = checks.ids, fields = {
  job_id = id({ "JobID" }, "stable name of the job; default: the execution id"),
  execution_id = id({ "ExecutionID" }, "name of this execution; default: the job id"),
  engine_spec = { type = "record", names = { "EngineSpec" }, required = true, fields = {
    type = { type = "string", names = { "Type" }, required = true, doc = "backend" },
    params = { type = "map", of = { type = "any" }, names = { "Params" },
      default = function() return {} end, doc = "the backend's own part" },
  } },
  resources = RESOURCES,
  inputs = volume_list({ "Inputs" }, "what the workload sees of the host"),
  outputs = volume_list({ "Outputs" }, "what it leaves in results_dir"),
  results_dir = { type = "string", names = { "ResultsDir" }, check = checks.results_dir,
    pattern = ABSOLUTE.pattern, what = ABSOLUTE.what, doc = "folder of stdout.log and stderr.log" },
  persist_logs_duration = { type = "duration_ns", names = { "PersistLogsDuration" },
    doc = "nanoseconds that result and logs are kept after remove" },
  provision_scripts = { type = "map", names = { "ProvisionScripts" }, check = checks.scripts,
    of = { type = "bytes" }, doc = "name to content in base64; run in the names' order" },
  keys = { type = "list", names = { "Keys" }, of = { type = "record", fields = {
    type = { type = "enum", values = { "ssh", "gpg" }, required = true, names = { "Type" } },
    file = { type = "string", names = { "File" }, required = true, not_empty = true,
      doc = "the key itself" },
    dest = { type = "string", names = { "Dest" } },
  } } },
  ports_to_bind = { type = "list", names = { "PortsToBind" }, of = { type = "record", fields = {
    ip = { type = "string", names = { "IP" }, check = checks.optional_ip, doc = "host address" },
    host_port = { type = "integer", min = 0, max = 65535, names = { "HostPort" }, required = true },
    executor_port = { type = "integer", min = 1, max = 65535, names = { "ExecutorPort" },
      required = true },
  } } },
  gateway_ip = { type = "string", names = { "GatewayIP" }, check = checks.optional_ip,
    doc = "first DNS server of the workload" },
  timeout = { type = "duration", check = checks.positive, names = { "Timeout" },
    doc = "seconds (or 1m30s) after which it is ended" },
  stop_signal = { type = "any", check = checks.signal, names = { "StopSignal" },
    doc = "first signal of a stop; default: the image's, else TERM" },
  stop_grace = { type = "duration", names = { "StopGrace" }, doc = "between it and KILL" },
  enforce = { type = "enum", values = { "warn", "strict" }, names = { "Enforce" },
    doc = "what to do with a limit that cannot be enforced here" },
} }

--- Go marshals a nil slice, map or pointer as null (dropped by json.decode) and an empty
--- string for a string that was not set.
local function drop_empty(raw)
  local copy = {}
  for key, value in pairs(raw) do
    if value ~= "" then copy[key] = value end
  end
  return copy
end

--- Validate and normalise.
---@param raw table decoded JSON
---@param options { params: table<string, table>, default_type: string?, lenient: boolean? }
---@return table? request, string[]|string warnings_or_message, string? code
function request.normalise(raw, options)
  if type(raw) ~= "table" then
    return nil, "request: expected an object, got " .. type(raw), "invalid"
  end
  raw = drop_empty(raw)
  local spec = raw.engine_spec or raw.EngineSpec
  if type(spec) == "table" and options.default_type and not (spec.type or spec.Type) then
    local copy = {}
    for key, value in pairs(spec) do copy[key] = value end
    copy.type = options.default_type
    if raw.engine_spec then raw.engine_spec = copy else raw.EngineSpec = copy end
  end
  local asked, warnings, code = schema.check(request.SCHEMA, raw, { lenient = options.lenient })
  if not asked then return nil, warnings, code end
  local kind = asked.engine_spec.type:lower():match("^%s*(.-)%s*$")
  local own = options.params[kind]
  if not own then
    return nil, string.format("engine_spec.type: unknown backend %q", kind), "invalid"
  end
  asked.engine_spec.type = kind
  local params, more, why = schema.check(own, asked.engine_spec.params,
    { path = "engine_spec.params", lenient = options.lenient })
  if not params then return nil, more, why end
  asked.engine_spec.params = params
  for _, warning in ipairs(more) do warnings[#warnings + 1] = warning end
  return asked, warnings
end

local function copy_of(value)
  if type(value) ~= "table" then return value end
  local copy = setmetatable({}, getmetatable(value))
  for key, item in pairs(value) do copy[key] = copy_of(item) end
  return copy
end

local SECRET = { password = true, registry_auth = true, identity_token = true }

local function drop_secrets(value)
  for key, item in pairs(value) do
    if SECRET[key] then
      value[key] = "***"
    elseif type(item) == "table" then
      drop_secrets(item)
    end
  end
end

--- A copy that may be stored: without passwords, keys and the content of scripts.
function request.for_disk(asked)
  local copy = copy_of(asked)
  drop_secrets(copy.engine_spec.params)
  for _, key in ipairs(copy.keys or {}) do key.file = "***" end
  for name, content in pairs(copy.provision_scripts or {}) do
    copy.provision_scripts[name] = string.format("(%d bytes)", #content)
  end
  return copy
end

--- A copy that may be shown: values of variables are masked, too.
function request.for_display(asked)
  local copy = request.for_disk(asked)
  local environment = copy.engine_spec.params.environment or {}
  for i, entry in ipairs(environment) do
    environment[i] = (entry:match("^([^=]*)=") or entry) .. "=***"
  end
  return copy
end

return request
