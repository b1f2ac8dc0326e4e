--- How the workload ended: by the word of its guest. The monitor's exit code tells nothing of
--- it (a panic exits 0), so without that word there is no exit code.

local conclude = {}

local CONSOLE_TAIL, ERRORS_TAIL = 800, 400
local SIGABRT = 6 -- how monitor and jailer end where their own checks find no words for it

--- Read the relay's report. What is torn or of another format reads as nothing.
function conclude.parse(content)
  if not content or content:sub(-1) ~= "\n" then return nil end
  local report = {}
  for line in content:gmatch("([^\n]*)\n") do
    local key, value = line:match("^([%a_][%w_]*)=(.*)$")
    if not key then return nil end
    report[key] = tonumber(value) or value
  end
  return report.format == 1 and report or nil
end

local function printable(bytes)
  return (bytes:gsub("[^%g\n ]", ""):gsub("^%s+", ""):gsub("%s+$", ""))
end

--- Its words for a missing KVM are a number in four parentheses.
local function about_kvm(words)
  if not words:find "Kvm" then return words end
  local file, err = io.open("/dev/kvm", "r+b")
  if file then
    file:close()
    return words
  end
  return string.format("%s (%s: microVMs need it: load the module of this processor, or let "
    .. "this user open it)", words, err)
end

--- What the monitor itself says of a machine that it did not boot.
local function complaint(dir)
  for _, name in ipairs { "vmm.err", "vmm.log" } do
    local words = printable(dir:read_at(name, -ERRORS_TAIL, ERRORS_TAIL) or "")
    if words ~= "" then return about_kvm(words) end
  end
end

--- Evidence from a report and the machine's folder.
---@param report table? conclude.parse
---@param dir exhost.dir? the machine's folder
---@param written number bytes of output
function conclude.evidence(report, dir, written)
  if not report then return {} end
  local evidence = { report = report.by }
  if report.vmm_code or report.vmm_signal then -- else the relay was killed before it had ended
    evidence.vmm = { exit_code = report.vmm_code, signal = report.vmm_signal }
  end
  if report.kind == "failed" then
    evidence.error, evidence.step = report.error, report.step
    evidence.code = false
  elseif report.kind then
    evidence.oom_killed = report.kind == "oom" or report.oom == 1 or nil
    evidence.code, evidence.signal = report.code, report.signal or false
    -- The supervisor saw the relay's end, which for a signal that ends nobody is a code.
    if report.signal then evidence.code = false end
  else
    evidence.code, evidence.signal = false, false
    local failed = report.by == "nobody"
      and ((report.vmm_code or 0) ~= 0 or report.vmm_signal == SIGABRT)
    local why = failed and dir and complaint(dir)
    local tail = dir and printable(dir:read_at("console.log", -CONSOLE_TAIL, CONSOLE_TAIL) or "")
    if tail and tail ~= "" then evidence.console = tail end
    if why and (evidence.console or written > 0) then
      evidence.vmm.error = why -- it ran: a guest may end so that the monitor calls it an error
    elseif why then
      evidence.never_ran, evidence.engine_error = true, why
    end
  end
  evidence.script = report.script
  return evidence
end

return conclude
