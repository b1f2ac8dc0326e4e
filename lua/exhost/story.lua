--- An execution's events as lines that people read: `exhost why`, and `why` at the prompt.

local signals = require "exhost.signals"
local times = require "exhost.times"
local units = require "exhost.units"

local SKIP = { at = true, event = true }

local function seconds(text)
  local sec, nsec = times.parse_rfc3339(text or "")
  return sec and sec + nsec / 1e9
end

local function show(key, value)
  if type(value) == "table" then
    local parts = {}
    if #value > 0 then
      for _, item in ipairs(value) do parts[#parts + 1] = show(nil, item) end
      value = table.concat(parts, "; ")
    else
      local keys = {}
      for name in pairs(value) do keys[#keys + 1] = name end
      table.sort(keys)
      for _, name in ipairs(keys) do parts[#parts + 1] = show(name, value[name]) end
      value = "{" .. table.concat(parts, ", ") .. "}"
    end
  elseif type(value) == "number" then
    value = key == "signal" and signals.name(value) or string.format("%.14g", value)
  end
  return key and key .. " " .. tostring(value) or tostring(value)
end

local function describe(event)
  local keys, parts = {}, {}
  for key in pairs(event) do
    if not SKIP[key] then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do parts[#parts + 1] = show(key, event[key]) end
  return table.concat(parts, ", ")
end

--- The story, a line an event.
---@param id string
---@param story table[] events in order
---@return string[] lines
return function(id, story)
  local lines = { "execution " .. id .. ", from " .. (story[1] and story[1].at or "?") }
  local first = seconds(story[1] and story[1].at)
  local last = first
  for _, event in ipairs(story) do
    local at = seconds(event.at)
    local since = at and first and units.format_duration(math.max(0, at - first)) or "?"
    local step = at and last and at - last >= 1 and " (+" .. units.format_duration(at - last) .. ")"
      or ""
    last = at or last
    local line = string.format("%-10s %-14s %s%s", since, event.event, describe(event), step)
    lines[#lines + 1] = line:gsub("%s+$", "")
  end
  return lines
end
