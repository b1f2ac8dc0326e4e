--- What was asked for, in a few words: for an execution's story.

local text = require "exhost.text"

local MOST_TEXT, MOST_ITEMS = 200, 16
local HIDDEN = { environment = true, mmds_message = true, registry_auth = true, password = true }

local function brief(value)
  if type(value) ~= "string" or #value <= MOST_TEXT then return value end
  return text.cut(value, MOST_TEXT) .. "…"
end

--- The first of a list of texts; nil for any other table.
local function brief_list(list)
  local first = {}
  for i, item in ipairs(list) do
    if type(item) == "table" then return nil end
    if i > MOST_ITEMS then
      first[i] = string.format("… (%d)", #list)
      break
    end
    first[i] = brief(item)
  end
  return first[1] and first
end

local function names(list, name_of)
  local found = {}
  for i, item in ipairs(list or {}) do found[i] = name_of(item) end
  return brief_list(found)
end

--- An amount that limits something.
local function limit(resource, key)
  local amount = resource and resource[key]
  return amount and amount > 0 and amount or nil
end

local function port(p)
  return string.format("%s:%d -> %d/%s", p.ip or "*", p.host_port or 0, p.executor_port,
    p.protocol or "tcp")
end

local function volume(v)
  return v.source .. (v.target and " -> " .. v.target or "")
end

--- Without variables, keys and passwords.
---@param asked table a normalised request
---@return table<string, any> asked texts, numbers and lists of texts
return function(asked)
  local found, resources = {}, asked.resources or {}
  for key, value in pairs(asked.engine_spec.params) do
    if not HIDDEN[key] then
      found[key] = type(value) == "table" and brief_list(value) or type(value) ~= "table"
        and brief(value) or nil
    end
  end
  found.cores, found.memory = limit(resources.cpu, "cores"), limit(resources.ram, "size")
  found.disk, found.timeout = limit(resources.disk, "size"), limit(asked, "timeout")
  found.gpus = names(resources.gpus, function(gpu) return gpu.uuid or gpu.pci_address end)
  found.inputs, found.outputs = names(asked.inputs, volume), names(asked.outputs, volume)
  found.ports = names(asked.ports_to_bind, port)
  local scripts = {}
  for name in pairs(asked.provision_scripts or {}) do scripts[#scripts + 1] = name end
  table.sort(scripts)
  found.scripts = brief_list(scripts)
  return found
end
