--- Times as RFC 3339 text, the only form in which they cross Lua.
local units = require "exhost.units"

local times = {}

--- Count the days from 1970-01-01 to a date of the Gregorian calendar.
local function days_from_civil(year, month, day)
  local y = month <= 2 and year - 1 or year
  local era = math.floor(y / 400)
  local of_era = y - era * 400
  local of_year = math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  return era * 146097 + of_era * 365 + math.floor(of_era / 4) - math.floor(of_era / 100) + of_year
    - 719468
end

local function civil_from_days(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local of_era = z - era * 146097
  local y = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524)
    - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * y + math.floor(y / 4) - math.floor(y / 100))
  local m = math.floor((5 * of_year + 2) / 153)
  local day = of_year - math.floor((153 * m + 2) / 5) + 1
  local month = m < 10 and m + 3 or m - 9
  return y + era * 400 + (month <= 2 and 1 or 0), month, day
end

local function month_length(year, month)
  if month == 2 then
    return (year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)) and 29 or 28
  end
  return (month == 4 or month == 6 or month == 9 or month == 11) and 30 or 31
end

--- Write a time in UTC; trailing zeros of the fraction are left out, as Go's RFC3339Nano does.
---@param sec integer since the epoch
---@param nsec? integer 0 to 999999999
---@return string
function times.rfc3339(sec, nsec)
  local days = math.floor(sec / 86400)
  local rest = sec - days * 86400
  local year, month, day = civil_from_days(days)
  local fraction = ""
  if nsec and nsec > 0 then fraction = string.format(".%09d", nsec):gsub("0+$", "") end
  return string.format("%04d-%02d-%02dT%02d:%02d:%02d%sZ", year, month, day,
    math.floor(rest / 3600), math.floor(rest / 60) % 60, rest % 60, fraction)
end

local function refused(source)
  return nil, string.format("expected a time such as 2026-01-02T03:04:05Z, got %q",
    tostring(source):sub(1, 64))
end

--- Read a time. A leap second is the first second of the next minute; digits below a nanosecond
--- are dropped.
---@param source string
---@return integer? sec
---@return integer|string nsec or, after nil, what is wrong
function times.parse_rfc3339(source)
  local year, month, day, hour, minute, second, rest = tostring(source):match(
    "^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt ](%d%d):(%d%d):(%d%d)(.*)$")
  if not year then return refused(source) end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second)
  local fraction, zone = rest:match("^%.(%d+)(.+)$")
  zone = (zone or rest):upper()
  local offset = 0
  if zone ~= "Z" then
    local sign, hours, minutes = zone:match("^([+-])(%d%d):(%d%d)$")
    if not sign or tonumber(hours) > 23 or tonumber(minutes) > 59 then return refused(source) end
    offset = (tonumber(hours) * 3600 + tonumber(minutes) * 60) * (sign == "-" and -1 or 1)
  end
  if month < 1 or month > 12 or day < 1 or day > month_length(year, month) or hour > 23
    or minute > 59 or second > 60 then
    return refused(source)
  end
  local nsec = fraction and tonumber((fraction .. "000000000"):sub(1, 9)) or 0
  local days = days_from_civil(year, month, day)
  return days * 86400 + hour * 3600 + minute * 60 + second - offset, nsec
end

--- Read what `--since` takes: a time, or a duration, which means that long ago.
---@param source string
---@param now integer seconds since the epoch
---@param now_nsec? integer
---@return "time"|"ago"|nil kind
---@return integer|string sec or, after nil, what is wrong
---@return integer? nsec
function times.since(source, now, now_nsec)
  local seconds = units.duration(source)
  if not seconds then
    local sec, nsec = times.parse_rfc3339(source)
    if not sec then
      return nil, string.format("expected a time (RFC 3339) or a duration such as 10m, got %q",
        tostring(source):sub(1, 64))
    end
    return "time", sec, nsec
  end
  local whole = math.floor(seconds)
  local sec = now - whole
  local nsec = (now_nsec or 0) - math.floor((seconds - whole) * 1e9 + 0.5)
  if nsec < 0 then
    sec, nsec = sec - 1, nsec + 1e9
  end
  return "ago", sec, nsec
end

return times
