--- From a request to what will be done: pure but for facts, and touches nothing.

local json = require "exhost.json"
local origin = require "exhost.plan.origin"
local request = require "exhost.request"
local state = require "exhost.state"
local system = require "exhost.system"

local plan = {}

local LISTS = { argv = true, environment = true, groups = true, unenforced = true, warnings = true }

--- Which backend a request is for, so that its part of the schema can be loaded.
local function engine_of(raw, default)
  local spec = type(raw) == "table" and (raw.engine_spec or raw.EngineSpec)
  local kind = type(spec) == "table" and (spec.type or spec.Type)
  if type(kind) ~= "string" or kind:match("^%s*$") then return default end
  return kind:lower():match("^%s*(.-)%s*$")
end

local function with_ids(raw)
  if type(raw) ~= "table" or raw.JobID or raw.ExecutionID or raw.job_id or raw.execution_id then
    return raw
  end
  local copy = {}
  for key, value in pairs(raw) do copy[key] = value end
  copy.job_id = "x" .. system.random_hex(6)
  copy.execution_id = copy.job_id
  return copy
end

--- What the policies decide, put into the body by the backend: for backends that give a
--- workload devices. The GPUs are those of this machine that the request means.
local function with_policies(executor, made)
  local asked = made.request.resources and made.request.resources.gpus or {}
  local policies = executor:policies()
  local gpus, host = {}, {}
  local err, code
  if #asked > 0 then
    local inventory = require "exhost.inventory"
    host = inventory.read(policies:list(), executor.settings.inventory)
    gpus, err, code = inventory.resolve(host, asked)
    if not gpus then return nil, err, code end
  end
  host.prefer_cdi = executor.settings.prefer_cdi
  local decision
  decision, err, code = policies:decide(made.request, gpus, host)
  if not decision then return nil, err, code end
  made.gpus = gpus
  made.body.policies = json.array(decision.policies)
  return made.backend:apply_policies(made.body, decision)
end

--- What the backend cannot keep of the limits, and what nobody can.
local function unenforced(made)
  local list = made.body.unenforced or json.array {}
  local size = ((made.request.resources or {}).ram or {}).size
  if size and size > 0 and size < request.MIN_MEMORY then
    list[#list + 1] = string.format("memory limit (resources.ram.size: %.0f bytes are below the "
      .. "least limit of 6 MiB)", size)
  end
  if #list > 0 then made.body.unenforced = list end
  return list
end

--- Make the plan that `start` executes.
---@param starting boolean? it is executed at once: what that finds out by itself need not be asked
---@return table? plan {name, backend, request, body, warnings}, string? err, string? code
function plan.make(executor, raw, starting)
  if type(raw) ~= "table" then
    return nil, "request: expected an object, got " .. type(raw), "invalid"
  end
  local name = engine_of(raw, executor.default_backend)
  local backend, err, code = executor:backend(name)
  if not backend then
    if code == "not_found" or code == "invalid" then
      return nil, "engine_spec.type: " .. err, "invalid"
    end
    return nil, err, code
  end
  local asked, warnings = request.normalise(with_ids(raw), {
    params = { [name] = backend.params }, default_type = name, lenient = executor.lenient })
  if not asked then return nil, warnings, "invalid" end
  local made = { name = name, backend = backend, request = asked, warnings = warnings or {} }
  local facts = {}
  if backend.facts then
    facts, err, code = backend:facts(asked, starting)
    if not facts then return nil, err, code end
  end
  made.body, err, code = backend:plan(asked, facts)
  if not made.body then return nil, err, code end
  if backend.apply_policies then
    local ok
    ok, err, code = with_policies(executor, made)
    if not ok then return nil, err, code end
  end
  for _, warning in ipairs(made.body.warnings or {}) do
    made.warnings[#made.warnings + 1] = warning
  end
  local strict = (asked.enforce or executor.settings.enforce) == "strict"
  local limits = unenforced(made)
  if strict and #limits > 0 then
    return nil, "limits cannot be enforced here (enforce is strict): "
      .. table.concat(limits, "; "), "unsupported"
  end
  for _, limit in ipairs(limits) do
    made.warnings[#made.warnings + 1] = "not enforced: " .. limit
  end
  local ok
  ok, err, code = backend:check(made.body, executor.settings.ceiling or {})
  if not ok then return nil, err, code end
  return made
end

local function masked(environment)
  local list = {}
  for i, entry in ipairs(environment) do list[i] = entry:match("^([^=]*)=") .. "=***" end
  return json.array(list)
end

--- A body as people may see it: values of variables are masked.
function plan.display(body)
  local copy = {}
  for key, value in pairs(body) do copy[key] = value end
  for key, value in pairs(copy) do
    if key == "environment" or key == "Env" then
      copy[key] = masked(value)
    elseif type(value) == "table" and not json.is_array(value) then
      copy[key] = plan.display(value)
    end
  end
  -- Read back from JSON an empty list is an empty object.
  for key, value in pairs(copy) do
    if type(value) == "table" and LISTS[key] then copy[key] = json.array(value) end
  end
  return copy
end

--- What `exhost plan` shows.
---@param allowed table the ceiling
function plan.describe(made, allowed)
  local from, sent = origin(made, allowed)
  return {
    backend = made.name, execution_id = made.request.execution_id, job_id = made.request.job_id,
    body = plan.display(made.body), warnings = json.array(made.warnings),
    request = request.for_display(made.request), origin = from, sent = sent,
  }
end

--- The request of an execution's folder as people may see it.
function plan.stored_request(dir)
  local stored = state.read_json(dir, "request.json")
  return stored and request.for_display(stored)
end

--- The body of an execution's folder as people may see it.
function plan.stored_plan(dir)
  local stored = state.read_json(dir, "plan.json")
  return stored and plan.display(stored)
end

return plan
