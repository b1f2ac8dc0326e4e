--- The request: what DMS marshals from its ExecutionRequest, or the same names in snake_case.
--- The schema below checks it, normalises it and documents it.
local address = require "exhost.request.address"
local parts = require "exhost.request.params"
local redact = require "exhost.request.redact"
local schema = require "exhost.schema"
local signals = require "exhost.signals"
local text = require "exhost.text"

local request = {}

local MAX_SECONDS = 1e9            -- three decades
request.MIN_MEMORY = 6 * 1024 * 1024 -- no engine takes less

local ID = { type = "string", absent = "", pattern = text.NAME, min_length = 2,
  max_length = text.NAME_MOST,
  expected = 'an id of 2 to 128 letters, digits, "_", "." and "-"' }

local function id(alias, doc)
  local spec = { names = { alias }, doc = doc }
  for key, value in pairs(ID) do spec[key] = value end
  return spec
end

local optional = parts.optional

--- A folder whose name means the same to everybody.
local function absolute(path)
  if path:sub(1, 1) ~= "/" then
    return nil, "expected an absolute path, got " .. text.quote(path)
  end
  if ("/" .. path .. "/"):find("/../", 1, true) then
    return nil, 'a path with ".." is not allowed: ' .. text.quote(path)
  end
  return path
end

--- A script as Linux can run it, from what editors of other systems write.
local function script(content)
  content = content:gsub("^\239\187\191", ""):gsub("\r\n", "\n")
  if content == "" then return nil, "the script is empty" end
  if content:find("%z") then return nil, "the script holds a NUL byte" end
  local first = content:match("^#!([^\n]*)")
  if first and first:find("\r", 1, true) then
    return nil, "a carriage return in the first line, where no line ends: write lines with LF"
  end
  if first and not first:find("[^ \t]") then return nil, "no interpreter after #!" end
  return content
end

local function gpu(value, warn)
  if value.index then warn("the index is ignored: a GPU is known by uuid or pci_address") end
  value.index = nil
  return value
end

--- A resource as DMS describes it. What it says beside the amount is kept as it is; as DMS
--- grows, what is not known here is a warning.
local function resource(fields, facts)
  for _, name in ipairs(facts) do fields[name] = { type = "any", absent = "" } end
  return { type = "record", unknown = "warn", fields = fields }
end

local AMOUNT = { type = "integer", min = 0, absent = 0, doc = "in bytes; 0 is no limit" }

local GPU = resource({
  uuid = optional { pattern = "^[A-Za-z0-9_./:-]+$", max_length = 128,
    expected = "the uuid of a GPU or of a part of one" },
  pci_address = { type = "string", absent = "", check = address.pci },
  vendor = optional(),
}, { "index", "model", "vram" })
GPU.check = gpu

local RESOURCES = { type = "record", unknown = "warn", names = { "Resources" }, default = {},
  fields = {
    cpu = resource({
      cores = { type = "number", above = 0, absent = 0, max = 65536,
        expected = "a number above 0", doc = "may be fractional; 0 is no limit" },
    }, { "clock_speed", "model", "vendor", "threads", "architecture", "cache_size" }),
    ram = resource({ size = AMOUNT }, { "clock_speed", "type" }),
    disk = resource({ size = AMOUNT },
      { "model", "vendor", "type", "interface", "read_speed", "write_speed" }),
    gpus = { type = "list", of = GPU },
  } }

local VOLUME = { type = "record", fields = {
  type = optional { names = { "Type" } },
  source = { type = "string", names = { "Source" }, required = true, no_nul = true,
    min_length = 1, doc = "a path of the host, or the name of a volume" },
  target = optional { names = { "Target" }, check = absolute, doc = "where the workload sees it" },
  readonly = { type = "boolean", names = { "ReadOnly" } },
} }

local KEY = { type = "record", fields = {
  type = { type = "enum", values = { "ssh", "gpg" }, any_case = true, required = true },
  file = { type = "string", required = true, min_length = 1, secret = true,
    doc = "the content of the key" },
  dest = optional { doc = "where a gpg key is written" },
} }

local PORT = { type = "record", fields = {
  ip = optional { names = { "IP" }, check = address.ip },
  host_port = { type = "integer", names = { "HostPort" }, min = 0, max = 65535 },
  protocol = { type = "enum", values = { "tcp", "udp" }, absent = "", any_case = true,
    names = { "Protocol" }, doc = "tcp unless it says udp" },
  executor_port = { type = "integer", names = { "ExecutorPort" }, required = true, min = 1,
    max = 65535 },
} }

local function engine_type(name)
  return name:lower():match("^%s*(.-)%s*$")
end

--- What a request may hold. The params of an engine are its backend's own schema.
request.SCHEMA = { type = "record", fields = {
  job_id = id("JobID", "stays when DMS restarts; one job is one workload"),
  execution_id = id("ExecutionID", "names this execution"),
  engine_spec = { type = "record", names = { "EngineSpec" }, default = {}, fields = {
    type = { type = "string", names = { "Type" }, default = "", check = engine_type },
    params = { type = "any", names = { "Params" }, default = {} },
  } },
  resources = RESOURCES,
  inputs = { type = "list", of = VOLUME, names = { "Inputs" } },
  outputs = { type = "list", of = VOLUME, names = { "Outputs" } },
  results_dir = optional { names = { "ResultsDir" }, check = absolute,
    doc = "where the logs are written" },
  persist_logs_duration = { type = "duration_ns", names = { "PersistLogsDuration" },
    max = MAX_SECONDS, doc = "how long logs stay after remove" },
  provision_scripts = { type = "map", names = { "ProvisionScripts" },
    key = { pattern = text.NAME, max_length = text.NAME_MOST,
      expected = 'a script name of letters, digits, "_", "." and "-"' },
    of = { type = "bytes", check = script } },
  keys = { type = "list", of = KEY, names = { "Keys" } },
  ports_to_bind = { type = "list", of = PORT, names = { "PortsToBind" } },
  gateway_ip = optional { names = { "GatewayIP" }, check = address.ip },
  timeout = { type = "duration", absent = 0, max = MAX_SECONDS, doc = "0 is none" },
  stop_signal = { type = "any", absent = "", check = signals.number },
  stop_grace = { type = "duration", max = MAX_SECONDS },
  enforce = { type = "enum", values = { "warn", "strict" }, absent = "" },
} }

--- Check the params with the schema of the backend that the type names.
---@return true? ok, string? err
local function check_params(asked, warnings, options)
  local engine = asked.engine_spec
  if engine.type == "" then engine.type = options.default_type or "process" end
  local spec = options.params and options.params[engine.type]
  if not spec then
    return nil, "engine_spec.type: unknown backend " .. text.quote(engine.type)
  end
  local params, more = schema.check(spec, engine.params,
    { path = "engine_spec.params", lenient = options.lenient })
  if params == nil then return nil, more end
  engine.params = params
  for _, warning in ipairs(more) do warnings[#warnings + 1] = warning end
  return true
end

--- Check a request and give it its one form.
---@param raw table decoded JSON or a Lua table
---@param options { params: table<string, table>, default_type?: string, lenient?: boolean }
---@return exhost.Request? request
---@return string[]|string warnings or, after nil, what is wrong
---@return string? code "invalid"
function request.normalise(raw, options)
  if type(options) ~= "table" then error("request.normalise: expected options", 2) end
  local asked, warnings, code = schema.check(request.SCHEMA, raw, { lenient = options.lenient })
  if asked == nil then return nil, warnings, code end
  asked.job_id = asked.job_id or asked.execution_id
  asked.execution_id = asked.execution_id or asked.job_id
  if not asked.job_id then return nil, "job_id: required, but not given", "invalid" end
  local ok, err = check_params(asked, warnings, options)
  if not ok then return nil, err, "invalid" end
  return asked, warnings
end

request.for_disk = redact.for_disk
request.for_display = redact.for_display

return request
