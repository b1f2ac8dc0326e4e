--- Text that people write for durations, sizes, signals and times, and back.
local units = {}

local MAX_WHOLE = 2 ^ 53

local SECONDS = {
  ns = 1e-9, us = 1e-6, ["µs"] = 1e-6, ["μs"] = 1e-6, ms = 1e-3, s = 1, m = 60, h = 3600, d = 86400,
}
local SIZE_POWER = { [""] = 0, k = 1, m = 2, g = 3, t = 4, p = 5 }
local SIZE_NAMES = { "KiB", "MiB", "GiB", "TiB", "PiB" }

local function finite(x)
  return x == x and x ~= math.huge and x ~= -math.huge
end

--- Read a number written with digits and at most one point.
local function decimal(s)
  return s:find("%d") and s:find("^%d*%.?%d*$") and tonumber(s) or nil
end

--- Read a duration: "10s", "1m30s", "1.5h", "200ms", "5us", "2d"; a bare number is seconds.
---@param value string|number
---@return number? seconds, string? err
function units.duration(value)
  if type(value) == "number" then
    if not finite(value) or value < 0 then
      return nil, "expected a duration of 0 or more, got " .. tostring(value)
    end
    return value
  end
  local source = tostring(value):match("^%s*(.-)%s*$")
  local bare = decimal(source)
  if bare then return bare end
  local total, at = 0, 1
  while at <= #source do
    local digits, unit, next_at = source:match("^([%d.]+)([^%d.%s]+)()", at)
    local amount = digits and decimal(digits)
    if not amount or not SECONDS[unit] then
      total = nil
      break
    end
    -- dividing keeps "5us" and "200ms" as exact as a double can be
    local scale = SECONDS[unit]
    total = total + (scale < 1 and amount / math.floor(1 / scale + 0.5) or amount * scale)
    at = next_at
  end
  if not total or at == 1 then
    return nil, string.format("expected a duration such as 1m30s, got %q", source)
  end
  return total
end

--- Write a duration so that `duration` reads it back: 90 is "1m30s", 0.2 is "200ms".
---@param seconds number
---@return string
function units.format_duration(seconds)
  if seconds < 1 then
    for _, unit in ipairs { "ms", "us", "ns" } do
      local amount = seconds / SECONDS[unit]
      if amount >= 0.9999999 then return string.format("%.6g%s", amount, unit) end
    end
    return "0s"
  end
  local whole = math.floor(seconds)
  local hours, minutes = math.floor(whole / 3600), math.floor(whole / 60) % 60
  local rest = seconds - hours * 3600 - minutes * 60
  local text = (hours > 0 and string.format("%.0fh", hours) or "") ..
    (minutes > 0 and string.format("%.0fm", minutes) or "")
  if rest == 0 then return text end
  return text .. string.format("%.9f", rest):gsub("0+$", ""):gsub("%.$", "") .. "s"
end

--- Read a size in bytes: "64m", "1.5G", "10MiB", "512 kB". As container engines do, every unit is
--- a power of 1024, whatever its spelling; a bare number is bytes.
---@param value string|number
---@return integer? bytes, string? err
function units.size(value)
  if type(value) == "number" then
    if not finite(value) or value < 0 or value ~= math.floor(value) or value > MAX_WHOLE then
      return nil, "expected a whole number of bytes, got " .. tostring(value)
    end
    return value
  end
  local source = tostring(value):match("^%s*(.-)%s*$")
  local digits, unit = source:match("^([%d.]+)%s*(%a*)$")
  local amount = digits and decimal(digits)
  unit = unit and unit:lower()
  local power = unit and (SIZE_POWER[unit] or SIZE_POWER[unit:match("^(%a)i?b$")])
  if unit == "b" then power = 0 end
  if not amount or not power then
    return nil, string.format("expected a size such as 64m or 1.5g, got %q", source)
  end
  local bytes = math.floor(amount * 1024 ^ power)
  if bytes > MAX_WHOLE then return nil, string.format("the size %q is above 2^53 bytes", source) end
  return bytes
end

--- Write a size for people: "64 MiB", "1.5 GiB", "100 B".
---@param bytes number
---@return string
function units.format_size(bytes)
  local power = 0
  while bytes >= 1024 and power < #SIZE_NAMES do
    bytes, power = bytes / 1024, power + 1
  end
  if power == 0 then return string.format("%.0f B", bytes) end
  return string.format("%.4g %s", bytes, SIZE_NAMES[power])
end

return units
