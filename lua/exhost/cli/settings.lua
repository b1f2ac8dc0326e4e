--- What /etc/exhost/config.lua may hold, for `exhost help config`.

local config = require "exhost.config"
local json = require "exhost.json"
local sorted_keys = require "exhost.sorted_keys"
local units = require "exhost.units"

local settings = {}

local HEAD = [[
usage: exhost --config FILE COMMAND …

settings: Lua data in FILE, else in /etc/exhost/config.lua; also what an embedder gives as JSON.
Times as "1h30m" or seconds, sizes as "64m" or bytes.

  return { retention = "2h", ceiling = { memory = "4g" } }
]]

local TAIL = [[

LIST or all: names in a table, or the text "all". backends.NAME: what is a backend's own, in
backends/NAME/README.md.]]

local KINDS = { duration = "TIME", size = "SIZE", boolean = "true or false", number = "N",
  integer = "N", string = "TEXT", list = "LIST" }

local function value_of(spec)
  if spec.type == "enum" then return table.concat(spec.values, ", ") end
  return (KINDS[spec.type] or "a table") .. (spec.all and " or all" or "")
end

local function default_of(spec)
  if spec.default == nil then return nil end
  if spec.type == "duration" then return units.format_duration(spec.default) end
  if spec.type == "size" then return units.format_size(spec.default) end
  return tostring(spec.default)
end

--- Add the fields of a record, and those of the records in it.
local function add(list, fields, prefix)
  for _, name in ipairs(sorted_keys(fields)) do
    local spec = fields[name]
    list[#list + 1] = { name = prefix .. name, value = value_of(spec), default = spec.default,
      help = spec.doc, shown = default_of(spec) }
    if spec.type == "record" then add(list, spec.fields, prefix .. name .. ".") end
  end
  return list
end

--- Each setting, in order.
---@return { name: string, value: string, default: any, help: string }[]
function settings.list()
  local list = add(json.array {}, config.SCHEMA.fields, "")
  for _, one in ipairs(list) do one.shown = nil end
  return list
end

--- All of them as text.
function settings.text()
  local lines = { HEAD }
  for _, one in ipairs(add({}, config.SCHEMA.fields, "")) do
    lines[#lines + 1] = string.format("  %-32s %s%s", one.name .. " " .. one.value, one.help,
      one.shown and " (default: " .. one.shown .. ")" or "")
  end
  lines[#lines + 1] = TAIL
  return table.concat(lines, "\n")
end

return settings
