--- Copies of a request without its secrets.
local json = require "exhost.json"

local redact = {}

local MASKED = { "mmds_message" } -- params that a program reads as it does variables
local SECRET = { registry_auth = true, password = true }

local function copy(value)
  if type(value) ~= "table" then return value end
  local new = json.is_array(value) and json.array {} or {}
  for key, item in pairs(value) do new[key] = copy(item) end
  return new
end

--- Drop passwords, at any depth, in place.
local function drop_passwords(t)
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
