--- Where each field of a plan comes from: the request, a default, a line of a policy, and which
--- setting of the ceiling lets it through.

local json = require "exhost.json"

---@class exhost.Origins what a backend says of its body
---@field fields table<string, string[]> field: the paths in the request that set it, if any does
---@field sent string? the member of the body that is sent as it is: all of its fields are shown
---@field open table<string, true>? fields whose own fields are shown one by one
---@field variables string? the field that lists variables, which are shown one by one

--- Whether the request has something at a path such as resources.ram.size.
local function asked_for(request, path)
  local value = request
  for key in path:gmatch("[^.]+") do
    if type(value) ~= "table" then return false end
    value = value[key]
  end
  return value ~= nil and not (type(value) == "table" and next(value) == nil)
end

local function has_variable(request, name)
  for _, entry in ipairs(request.engine_spec.params.environment or {}) do
    if entry:match("^[^=]*") == name then return true end
  end
  return false
end

--- Fields as they are shown: note(field, value, paths of the request that may set it).
local function each(rules, body, note)
  for key, value in pairs(body) do
    if key == rules.variables then
      for _, entry in ipairs(value) do note(key .. "." .. entry:match("^[^=]*"), entry) end
    elseif rules.open and rules.open[key] then
      for inner, item in pairs(value) do
        note(key .. "." .. inner, item, rules.fields[key .. "." .. inner])
      end
    elseif rules.sent or rules.fields[key] then
      note(key, value, rules.fields[key])
    end
  end
end

--- Where it comes from before policies, which append to lists and replace all else.
local function before(request, field, paths, rules)
  local from = json.array {}
  for _, path in ipairs(paths or {}) do
    if asked_for(request, path) then from[#from + 1] = "request " .. path end
  end
  local variable = rules.variables and field:match("^" .. rules.variables .. "%.(.*)$")
  if variable and has_variable(request, variable) then
    from[1] = "request engine_spec.params.environment"
  end
  if #from == 0 then from[1] = "default" end
  return from
end

--- By field of the body, or of its member that is sent.
---@param made table a plan
---@param allowed table the ceiling
---@return table<string, string[]>? origin "request PATH", "default", "FILE:LINE", "ceiling.NAME"
---@return string? sent the member of the body whose fields they are
return function(made, allowed)
  local rules = made.backend.origins
  if not rules then return nil end
  local body = rules.sent and made.body[rules.sent] or made.body
  local set = made.body.origin or {}
  local granted = made.backend.grants and made.backend:grants(made.body, allowed) or {}
  local found = {}
  each(rules, body, function(field, value, paths)
    local from = json.array {}
    local is_list = type(value) == "table" and value[1] ~= nil
    if not set[field] or is_list and paths then from = before(made.request, field, paths, rules) end
    for _, more in ipairs { set, granted } do
      for _, line in ipairs(more[field] or {}) do from[#from + 1] = line end
    end
    found[field] = from
  end)
  return found, rules.sent
end
