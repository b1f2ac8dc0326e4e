--- From options to a request: shared by run, start and plan.

local context = require "exhost.cli.context"
local json = require "exhost.json"
local system = require "exhost.system"
local text = require "exhost.text"
local units = require "exhost.units"

local request = {}

local MAX_REQUEST = 64 * 1024 * 1024

request.OPTIONS = {
  { "-b", "--backend", key = "backend", value = "NAME", help = "backend (default: process)" },
  { "--id", key = "id", value = "ID", help = "job and execution id (default: x and 12 digits)" },
  { "-f", "--file", key = "file", value = "REQUEST", help = "a request as JSON; - is stdin" },
  { "--image", key = "image", value = "IMAGE", help = "container image" },
  { "--cpus", key = "cpus", value = "N", help = "CPU cores, may be fractional" },
  { "--memory", key = "memory", value = "SIZE", help = "memory limit, such as 64m" },
  { "--gpus", key = "gpus", value = "UUID,…", help = "GPUs by UUID or PCI address" },
  { "-e", "--env", key = "env", value = "K=V", many = true, help = "variable; K alone takes ours" },
  { "-w", "--workdir", key = "workdir", value = "DIR", help = "working directory" },
  { "-u", "--user", key = "user", value = "USER", help = "user, uid, user:group or uid:gid" },
  { "-v", "--volume", key = "volumes", value = "SRC:DST[:ro]", many = true, help = "mount" },
  { "-p", "--publish", key = "ports", value = "[IP:]HOST:PORT", many = true, help = "port" },
  { "--results-dir", key = "results_dir", value = "DIR", help = "where the log files go" },
  { "--timeout", key = "timeout", value = "TIME", help = "end it after this time, such as 10s" },
  { "--stop-signal", key = "stop_signal", value = "SIGNAL", help = "first signal of a cancel" },
  { "--stop-grace", key = "stop_grace", value = "TIME", help = "time between it and KILL" },
  { "--strict", key = "strict", help = "refuse what cannot be enforced here" },
}

local function read_request(path)
  local content, err
  if path == "-" then
    content, err = system.read_all(0, MAX_REQUEST)
  else
    local file
    file, err = io.open(path, "r")
    content = file and file:read("*a")
    if file then file:close() end
    if file and not content then err = path .. ": cannot be read (a folder?)" end
  end
  if not content then return nil, "read request: " .. tostring(err), "io" end
  local value, why = json.decode(content)
  if value == nil then
    if not content:find("%S") then why = "it is empty" end
    return nil, string.format("request %s: %s", path, why), "invalid"
  end
  return value
end

local function environment(list)
  local out = {}
  for _, entry in ipairs(list) do
    if entry:find("=", 1, true) then
      out[#out + 1] = entry
    else
      local value = os.getenv(entry)
      if value then out[#out + 1] = entry .. "=" .. value end
    end
  end
  return json.array(out)
end

local NAMES = { EngineSpec = "engine_spec", Resources = "resources", Inputs = "inputs",
  PortsToBind = "ports_to_bind", ResultsDir = "results_dir" }
local SPEC_NAMES = { Type = "type", Params = "params" }

local function volumes(list)
  local out = {}
  for _, entry in ipairs(list) do
    local readonly = entry:match("^(.*):ro$")
    local source, target = (readonly or entry):match("^(.*):([^:]*)$")
    if not source or source == "" or target == "" then
      return nil, string.format("-v %s: expected SRC:DST or SRC:DST:ro", entry), "invalid"
    end
    out[#out + 1] = { type = "bind", source = source, target = target, readonly = readonly ~= nil }
  end
  return json.array(out)
end

local function ports(list)
  local out = {}
  for _, entry in ipairs(list) do
    local ip, host, port = entry:match("^(.*):(%d+):(%d+)$")
    if not ip then
      ip = ""
      host, port = entry:match("^(%d+):(%d+)$")
    end
    if not host then
      return nil, string.format("-p %s: expected [IP:]HOST:PORT", entry), "invalid"
    end
    out[#out + 1] = { ip = ip, host_port = tonumber(host), executor_port = tonumber(port) }
  end
  return json.array(out)
end

local function gpus(words)
  local out = {}
  for word in (words .. ","):gmatch("%s*(.-)%s*,") do
    if word == "" then
      return nil, string.format("--gpus %s: expected UUIDs or PCI addresses with \",\" between",
        text.quote(words)), "invalid"
    end
    out[#out + 1] = word:find("^%x+:%x+") and { pci_address = word } or { uuid = word }
  end
  return json.array(out)
end

--- Give the fields of an object of the file the names that are used here. Where both names are
--- given they stay, and the schema tells of it.
local function rename(object, names)
  for alias, name in pairs(names) do
    if object[alias] ~= nil and object[name] == nil then
      object[name], object[alias] = object[alias], nil
    end
  end
end

--- An object below a field, made where there is none.
---@return table? object, string? err, string? code
local function object_at(object, name, path)
  if object[name] == nil then object[name] = {} end
  if type(object[name]) == "table" then return object[name] end
  return nil, path .. ": expected an object", "invalid"
end

local function resources(asked, options)
  local kept, err, code = object_at(asked, "resources", "resources")
  if not kept then return nil, err, code end
  local part
  if options.cpus then
    part, err, code = object_at(kept, "cpu", "resources.cpu")
    if not part then return nil, err, code end
    part.cores = options.cpus:find("^[%d.eE+-]+$") and tonumber(options.cpus)
    if not part.cores then
      return nil, string.format("--cpus %s: expected a number", options.cpus), "invalid"
    end
  end
  if options.memory then
    part, err, code = object_at(kept, "ram", "resources.ram")
    if not part then return nil, err, code end
    part.size, err = units.size(options.memory)
    if not part.size then return nil, "--memory: " .. err, "invalid" end
  end
  if options.gpus then
    kept.gpus, err, code = gpus(options.gpus)
    if not kept.gpus then return nil, err, code end
  end
  return kept
end

local function set_params(params, options, words)
  if #words > 0 then
    params.cmd = json.array {}
    for i, word in ipairs(words) do params.cmd[i] = word end
  end
  params.image = options.image or params.image
  params.working_directory = options.workdir or params.working_directory
  params.user = options.user or params.user
  if options.env then
    local own, err, code = object_at(params, "environment", "engine_spec.params.environment")
    if not own then return nil, err, code end
    for _, entry in ipairs(environment(options.env)) do own[#own + 1] = entry end
    params.environment = json.array(own)
  end
  return true
end

--- Build the request: the file's, then what the options say.
---@return table? request, string? err, string? code
function request.build(options, words)
  local asked = {}
  local err, code
  if options.file then
    asked, err, code = read_request(options.file)
    if not asked then return nil, err, code end
    if type(asked) ~= "table" then
      return nil, "request: expected a JSON object", "invalid"
    end
  end
  rename(asked, NAMES)
  local spec, params, ok
  spec, err, code = object_at(asked, "engine_spec", "engine_spec")
  if not spec then return nil, err, code end
  rename(spec, SPEC_NAMES)
  spec.type = options.backend or spec.type or "process"
  params, err, code = object_at(spec, "params", "engine_spec.params")
  if not params then return nil, err, code end
  ok, err, code = set_params(params, options, words)
  if not ok then return nil, err, code end
  if options.id then
    asked.job_id, asked.execution_id = options.id, options.id
    asked.JobID, asked.ExecutionID = nil, nil
  end
  if options.cpus or options.memory or options.gpus then
    ok, err, code = resources(asked, options)
    if not ok then return nil, err, code end
  end
  for _, list in ipairs { { "volumes", "inputs", volumes }, { "ports", "ports_to_bind", ports } } do
    if options[list[1]] then
      asked[list[2]], err, code = list[3](options[list[1]])
      if not asked[list[2]] then return nil, err, code end
    end
  end
  asked.results_dir = options.results_dir and context.absolute(options.results_dir)
    or asked.results_dir
  asked.timeout = options.timeout or asked.timeout
  asked.stop_signal = options.stop_signal or asked.stop_signal
  asked.stop_grace = options.stop_grace or asked.stop_grace
  if options.strict then asked.enforce = "strict" end
  return asked
end

return request
