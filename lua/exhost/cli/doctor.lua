--- exhost doctor: what this machine offers, and what to do where it does not.

local doctor = require "exhost.doctor"
local json = require "exhost.json"

local MARKS = { ok = "ok  ", warn = "WARN", fail = "FAIL" }

return {
  usage = "doctor",
  no_words = true,
  summary = "examine this machine, its engines, policies and GPUs",
  options = {},
  run = function(ctx)
    return ctx:with_executor(function(ex)
      local findings, status = doctor.examine(ex), 0
      for _, entry in ipairs(findings) do
        if entry.status == "fail" then status = 1 end
      end
      if ctx.json then
        ctx:print_json(json.array(findings))
        return status
      end
      for _, entry in ipairs(findings) do
        ctx:print(string.format("%s  %s: %s", MARKS[entry.status], entry.name, entry.found))
        if entry.advice then ctx:print("      " .. entry.advice) end
      end
      return status
    end)
  end,
}
