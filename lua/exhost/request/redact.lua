--- Copies of a request without its secrets.
local json = require "exhost.json"

local redact = {}

local MASKED = { "mmds_message" } -- params that a program reads as it does variables
local SECRET = { registry_auth = true, password = true, identitytoken = true }

local function copy(value)
  if type(value) ~= "table" then return value end
  local new = json.is_array(value) and json.array {} or {}
  for key, item in pairs(value) do new[key] = copy(item) end
  return new
end

--- Drop passwords, at any depth, in place. Whose they are says nothing without them, and would be
--- refused if it came back in a request.
local function drop_passwords(t)
  if t.password ~= nil then t.username = nil end
  for key, item in pairs(t) do
    if SECRET[key] then
      t[key] = nil
    elseif type(item) == "table" then
      drop_passwords(item)
    end
  end
end

--- Copy a request for request.json: without passwords, the content of keys, and the content of
--- scripts, of which names and sizes stay.
---@param request table
---@return table
function redact.for_disk(request)
  local kept = copy(request)
  for _, key in ipairs(kept.keys or {}) do key.file = nil end
  for name, content in pairs(kept.provision_scripts or {}) do
    if type(content) == "string" then kept.provision_scripts[name] = { size = #content } end
  end
  local params = kept.engine_spec and kept.engine_spec.params
  if params then drop_passwords(params) end
  return kept
end

--- Copy a request for policies: without keys and scripts, which are no business of theirs, nor what
--- is for a registry or for the guest alone. Variables stay, as they may decide by them.
---@param request table
---@return table kept shares what it keeps outside of engine_spec with the request
function redact.for_policy(request)
  local kept = {}
  for key, value in pairs(request) do kept[key] = value end
  kept.keys, kept.provision_scripts = nil, nil
  kept.engine_spec = copy(request.engine_spec)
  local params = kept.engine_spec and kept.engine_spec.params
  if not params then return kept end
  drop_passwords(params)
  params.username = nil
  for _, name in ipairs(MASKED) do params[name] = nil end
  return kept
end

--- Copy a request for people: as for the disk, and what may hold secrets is masked.
---@param request table
---@return table
function redact.for_display(request)
  local kept = redact.for_disk(request)
  local params = kept.engine_spec and kept.engine_spec.params
  for _, name in ipairs(MASKED) do
    if params and params[name] ~= nil then params[name] = "***" end
  end
  local environment = params and params.environment
  if type(environment) ~= "table" then return kept end
  for i, entry in ipairs(environment) do
    environment[i] = tostring(entry):match("^[^=]*") .. "=***"
  end
  return kept
end

return redact
