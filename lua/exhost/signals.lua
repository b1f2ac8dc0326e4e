--- Signals by name and by number, as glibc on Linux counts them (RTMIN 34, RTMAX 64).
local signals = {}

local RTMIN, RTMAX = 34, 64

local NAMES = {
  "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
  "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
  "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
}

local NUMBERS = { IOT = 6, CLD = 17, POLL = 29, UNUSED = 31, RTMIN = RTMIN, RTMAX = RTMAX }
for number, name in ipairs(NAMES) do NUMBERS[name] = number end

local function refused(x)
  return nil, string.format("unknown signal %q", tostring(x))
end

--- Find a signal: a name with or without SIG in any case, 1 to 64, `SIGRTMIN+3`, `RTMAX-1`.
---@param x string|number
---@return integer? number, string? err
function signals.number(x)
  local number = type(x) == "number" and x or nil
  if type(x) == "string" then
    local name = x:upper():match("^%s*(.-)%s*$")
    if name:find("^%d%d?$") then
      number = tonumber(name)
    else
      name = name:gsub("^SIG", "")
      local base, sign, offset = name:match("^(RTM%u%u)([+-])(%d%d?)$")
      if base == "RTMIN" and sign == "+" then
        number = RTMIN + tonumber(offset)
      elseif base == "RTMAX" and sign == "-" then
        number = RTMAX - tonumber(offset)
        if number < RTMIN then return refused(x) end
      elseif not base then
        number = NUMBERS[name]
      end
    end
  end
  if not number or number ~= math.floor(number) or number < 1 or number > 64 then
    return refused(x)
  end
  return number
end

--- Name a signal: 15 is "SIGTERM", 37 is "SIGRTMIN+3"; the two that glibc keeps are numbers.
---@param number integer
---@return string
function signals.name(number)
  if NAMES[number] then return "SIG" .. NAMES[number] end
  if number < RTMIN or number > RTMAX then return string.format("%.0f", number) end
  if number == RTMIN then return "SIGRTMIN" end
  if number == RTMAX then return "SIGRTMAX" end
  if number - RTMIN <= 15 then return "SIGRTMIN+" .. number - RTMIN end
  return "SIGRTMAX-" .. RTMAX - number
end

return signals
