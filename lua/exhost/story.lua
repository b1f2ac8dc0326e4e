--- An execution's events as lines that people read: `exhost why`, and `why` at the prompt.

local signals = require "exhost.signals"
local times = require "exhost.times"
local units = require "exhost.units"
local sorted_keys = require "exhost.sorted_keys"

local SKIP = { at = true, event = true }
local WIDTH, INDENT = 110, 13

local function seconds(text)
  local sec, nsec = times.parse_rfc3339(text or "")
  return sec and sec + nsec / 1e9
end

--- To the millisecond, and what is shorter to ten microseconds.
local function duration(s)
  local step = s >= 1 and 1e-3 or 1e-5
  return units.format_duration(math.floor(s / step + 0.5) * step)
end

--- A word as a shell would need it, so that the words of a command can be told apart.
local function word(value)
  value = tostring(value)
  if value ~= "" and not value:find("[^%w_@%%+=:,./…()*>-]") then return value end
  local shown = value:gsub("%c", function(c) return string.format("\\x%02x", c:byte()) end)
  return "'" .. shown:gsub("'", "'\\''") .. "'"
end

local SIZES = { memory = true, disk = true }
local NAMES = { ms = "took" }

local function scalar(key, value)
  if type(value) ~= "number" then return tostring(value) end
  if key == "signal" then return signals.name(value) or tostring(value) end
  if key == "ms" then return duration(value / 1000) end
  if key == "timeout" then return units.format_duration(value) end
  if key:find("_ns$") then return duration(value / 1e9) end
  if SIZES[key] then return units.format_size(value) end
  return string.format("%.14g", value)
end

--- "key value" of each field that is no table, or a list of words.
local function fields_of(t)
  local parts = {}
  for _, key in ipairs(sorted_keys(t)) do
    local value = t[key]
    if type(value) == "table" and value[1] ~= nil and type(value[1]) ~= "table" then
      local words = {}
      for i, item in ipairs(value) do words[i] = word(item) end
      parts[#parts + 1] = key .. " " .. table.concat(words, " ")
    elseif type(value) ~= "table" and not SKIP[key] then
      parts[#parts + 1] = (NAMES[key] or key:gsub("_ns$", "")) .. " " .. scalar(key, value)
    end
  end
  return parts
end

--- Parts as lines, each no longer than the screen where that can be.
local function put_wrapped(lines, head, parts)
  local line, indent = head, (" "):rep(#head)
  for i, part in ipairs(parts) do
    local piece = part .. (i < #parts and "," or "")
    if #line > #indent and #line + 1 + #piece > WIDTH then
      lines[#lines + 1] = line:gsub("%s+$", "")
      line = indent
    end
    line = line .. (#line > #indent and " " or "") .. piece
  end
  lines[#lines + 1] = line:gsub("%s+$", "")
end

--- Which policy, of which version, set what: by the names of its files.
local function policy_lines(event)
  local parts = {}
  for _, policy in ipairs(event.policies or {}) do
    local said = {}
    for _, field in ipairs(sorted_keys(event.set or {})) do
      local from = table.concat(event.set[field], ", ")
      if from:find(policy.name .. ".lua:", 1, true) then
        said[#said + 1] = string.format("%s (%s)", field, from)
      end
    end
    parts[#parts + 1] = string.format("%s %s%s", policy.name, policy.version,
      said[1] and " set " .. table.concat(said, ", ") or " set nothing")
  end
  return parts
end

--- What of an event is a table: a line each, below it.
local function put_more(lines, event)
  local function head(name) return (" "):rep(INDENT) .. string.format("%-14s", name) end
  for _, line in ipairs(policy_lines(event)) do put_wrapped(lines, head "policy", { line }) end
  for _, key in ipairs(sorted_keys(event)) do
    local value = event[key]
    local is_own = key == "policies" or key == "set"
    if type(value) == "table" and not is_own and (value[1] == nil or type(value[1]) == "table") then
      for _, one in ipairs(value[1] and value or { value }) do
        local parts = fields_of(one)
        if parts[1] then put_wrapped(lines, head(key), parts) end
      end
    end
  end
end

--- The story, a line an event and more where it needs them.
---@param id string
---@param story table[] events in order
---@return string[] lines
return function(id, story)
  local lines = { "execution " .. id .. ", from " .. (story[1] and story[1].at or "?") }
  local first = seconds(story[1] and story[1].at)
  local last = first
  for _, event in ipairs(story) do
    local at = seconds(event.at)
    local since = at and first and duration(math.max(0, at - first)) or "?"
    local parts = fields_of(event)
    if at and last and at - last >= 1 then
      parts[#parts + 1] = "(+" .. duration(at - last) .. ")"
    end
    last = at or last
    put_wrapped(lines, string.format("%-12s %-14s", since, event.event), parts)
    put_more(lines, event)
  end
  return lines
end
