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

  return { retention = "2h", ceiling = { memory = 4 * 1024 ^ 3 } }
]]

local TAIL = [[

ceiling: memory (bytes), cores, pids, users = { deny = { NAME or NUMBER, … } }, binds; where there
are containers also privileged, capabilities, namespaces, networks, devices, runtimes, sysctls,
security_opt. backends.NAME: what is a backend's own, in backends/NAME/README.md.]]

local KINDS = { duration = "TIME", size = "SIZE", boolean = "true or false" }

local function value_of(spec)
  if spec.type == "enum" then return table.concat(spec.values, ", ") end
  return KINDS[spec.type] or "a table"
end

local function default_of(spec)
  if spec.default == nil then return nil end
  if spec.type == "duration" then return units.format_duration(spec.default) end
  if spec.type == "size" then return units.format_size(spec.default) end
  return tostring(spec.default)
end

--- Each setting, in order.
---@return { name: string, value: string, default: any, help: string }[]
function settings.list()
  local list, fields = json.array {}, config.SCHEMA.fields
  for i, name in ipairs(sorted_keys(fields)) do
    local spec = fields[name]
    list[i] = { name = name, value = value_of(spec), default = spec.default, help = spec.doc }
  end
  return list
end

--- All of them as text.
function settings.text()
  local lines = { HEAD }
  for _, one in ipairs(settings.list()) do
    local default = default_of(config.SCHEMA.fields[one.name])
    lines[#lines + 1] = string.format("  %-28s %s%s", one.name .. " " .. one.value, one.help,
      default and " (default: " .. default .. ")" or "")
  end
  lines[#lines + 1] = TAIL
  return table.concat(lines, "\n")
end

return settings
