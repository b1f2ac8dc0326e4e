--- What policies and the operator's ceiling make of a body.

local ceiling = require "backends.docker.ceiling"
local json = require "exhost.json"

local decide = {}

--- Put what the policies decided into the body: lists append, a scalar replaces; a
--- variable of theirs wins over the job's own and the image's.
function decide.apply(_, made, decision)
  local host, origin = made.create.HostConfig, {}
  for field, entry in pairs(decision.config) do
    if entry.list and type(host[field]) == "table" then
      for _, item in ipairs(entry.value) do table.insert(host[field], item) end
    else
      host[field] = entry.list and json.array(entry.value) or entry.value
    end
    origin["HostConfig." .. field] = json.array(entry.from)
  end
  for name, entry in pairs(decision.env) do
    local kept = json.array {}
    for _, variable in ipairs(made.create.Env or {}) do
      if variable:match("^[^=]*") ~= name then kept[#kept + 1] = variable end
    end
    kept[#kept + 1] = name .. "=" .. tostring(entry.value)
    made.create.Env = kept
    origin["Env." .. name] = json.array(entry.from)
  end
  made.origin = origin
  return true
end

--- Against the ceiling; where a policy set the field, its line is named.
function decide.check(_, made, allowed)
  local ok, err, code = ceiling.check(made.create, allowed)
  if ok then return true end
  local field = err:match("^(HostConfig%.%w+)")
  local from = made.origin and made.origin[field]
  if from then err = err .. ", set at " .. table.concat(from, ", ") end
  return nil, err, code
end

--- Which settings of the ceiling let which fields through.
---@return table<string, string[]> settings by field
function decide.grants(_, made, allowed)
  local found = {}
  ceiling.check(made.create, allowed, function(field, setting)
    local list = found[field] or {}
    found[field] = list
    if list[#list] ~= setting then list[#list + 1] = setting end
  end)
  return found
end

return decide
