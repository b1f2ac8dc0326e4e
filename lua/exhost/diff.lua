--- Where two values differ, field by field.

local json = require "exhost.json"

local diff = {}

--- The leaves of a value: JSON by path, such as HostConfig.Devices[1].PathOnHost.
---@return table<string, string>
function diff.leaves(value)
  local found = {}
  local function walk(item, path)
    if type(item) ~= "table" or next(item) == nil then
      found[path] = json.encode(item)
      return
    end
    for key, inner in pairs(item) do
      walk(inner, type(key) == "number" and path .. "[" .. key .. "]"
        or path == "" and key or path .. "." .. key)
    end
  end
  walk(value, "")
  return found
end

--- What is not the same in two maps of text, by key.
---@param old table<string, string>
---@param new table<string, string>
---@return { field: string, from: string?, to: string? }[] sorted
function diff.compare(old, new)
  local changes = json.array {}
  for field, value in pairs(old) do
    if new[field] ~= value then
      changes[#changes + 1] = { field = field, from = value, to = new[field] }
    end
  end
  for field, value in pairs(new) do
    if old[field] == nil then changes[#changes + 1] = { field = field, to = value } end
  end
  table.sort(changes, function(a, b) return a.field < b.field end)
  return changes
end

--- A change as a line for people.
function diff.line(change)
  return string.format("%s: %s -> %s", change.field, change.from or "not set",
    change.to or "not set")
end

return diff
