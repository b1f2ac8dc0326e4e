--- How an execution ended: from the supervisor's `exit` file and the backend's evidence to the one
--- result. Pure: what cannot be known from the facts is not guessed.
local signals = require "exhost.signals"
local text = require "exhost.text"

local result = {}

local FORMAT = "1"
local SIGKILL = 9

-- What the supervisor's usual errors mean, in glibc's words.
local ERRORS = {
  [1] = "operation not permitted", [2] = "no such file or directory", [5] = "input/output error",
  [7] = "argument list too long", [8] = "exec format error",
  [11] = "resource temporarily unavailable", [12] = "cannot allocate memory",
  [13] = "permission denied", [16] = "device or resource busy", [20] = "not a directory",
  [21] = "is a directory", [22] = "invalid argument", [24] = "too many open files",
  [26] = "text file busy", [28] = "no space left on device", [36] = "file name too long",
  [40] = "too many levels of symbolic links", [122] = "disk quota exceeded",
}

--- Read an `exit` file. What is empty, torn or of another format reads as nothing.
---@param content string lines of key=value
---@return table<string, string>? exit
function result.parse_exit(content)
  if content == "" or content:sub(-1) ~= "\n" then return nil end
  local exit = {}
  for line in content:gmatch("([^\n]*)\n") do
    local key, value = line:match("^([%a_][%w_]*)=(.*)$")
    if not key then return nil end
    exit[key] = value
  end
  if exit.format ~= FORMAT then return nil end
  return exit
end

-- Facts that the result tells under its own names.
local TOLD = { "code", "signal", "started_at", "finished_at", "utime_us", "stime_us", "maxrss_kb",
  "cpu_ns", "memory_peak", "inblock", "oublock" }

--- Put the facts of the supervisor and of the backend together; the backend's win.
local function merge(exit, evidence)
  local facts = {}
  for _, source in ipairs { exit or {}, evidence or {} } do
    for key, value in pairs(source) do
      local whole = type(value) == "string" and #value <= 15 and value:find("^%d+$")
      facts[key] = whole and tonumber(value) or value
    end
  end
  facts.format = nil
  return facts
end

local function above_zero(value)
  return (tonumber(value) or 0) > 0
end

local function is_set(value)
  return value == true or above_zero(value)
end

--- Say how the workload, or a script before it, ended.
local function ending(r)
  if r.signal then
    return string.format("killed by signal %d (%s)", r.signal, signals.name(r.signal))
  end
  return string.format("exited with code %d", r.exit_code)
end

local function start_error(facts, opts)
  local number = tonumber(facts.error)
  local what = "start the workload: " .. (facts.step or "unknown step")
  local subject = opts.subject or ""
  if subject ~= "" then what = what .. " " .. text.quote(subject, 256) end
  if not number or number == 0 then return what end
  return what .. ": " .. (ERRORS[number] or string.format("error %d", number))
end

local function script_error(facts, r)
  local how = r.exit_code and ending(r) or "failed"
  return string.format("provision script %s %s", text.quote(facts.script), how)
end

--- Removed while it ran. What was removed after its end has a code.
local function lost_to_others(facts)
  return is_set(facts.removed) and facts.code == nil
end

local function never_ran_error(facts)
  local why = facts.engine_error
  return "the workload never ran" .. (why and ": " .. why or "")
end

local function stopped_by_us(facts)
  return facts.stop_by == "cancel" or facts.stop_by == "remove"
end

--- An engine's word for it (`oom_killed`) covers any process of the workload, so a code of 0
--- outweighs it.
local function is_oom(facts, r)
  if not above_zero(facts.oom_kills) and not is_set(facts.oom_killed) then return false end
  local ours = is_set(facts.stop_killed) or tonumber(facts.stop_signal) == SIGKILL
  if r.signal then return r.signal == SIGKILL and not ours end
  return r.exit_code ~= nil and r.exit_code ~= 0 and not (ours and r.exit_code == 128 + SIGKILL)
end

--- Name the reason, with a message unless all is well.
---@return string reason, string? error_msg
local function judge(facts, r, opts)
  if above_zero(facts.error) then return "start_failed", start_error(facts, opts) end
  if stopped_by_us(facts) then return "cancelled", "execution cancelled" end
  if facts.stop_by == "deadline" then return "timeout", "stopped at its deadline" end
  if facts.script then return "start_failed", script_error(facts, r) end
  if facts.step then return "start_failed", start_error(facts, opts) end
  if is_set(facts.never_ran) then return "start_failed", never_ran_error(facts) end
  if lost_to_others(facts) then
    return "engine_lost", "somebody removed the workload from its engine"
  end
  if is_oom(facts, r) then return "oom", "killed: out of memory" end
  if r.signal then return "signaled", ending(r) end
  if not r.exit_code then return "lost", "lost: how the workload ended is not known" end
  if r.exit_code ~= 0 then return "exited", ending(r) end
  if r.killed then return "exited", "killed by an external signal" end
  return "exited"
end

local function usage(facts)
  local user, system = tonumber(facts.utime_us), tonumber(facts.stime_us)
  local resident = tonumber(facts.maxrss_kb)
  local cpu = tonumber(facts.cpu_ns)
  if not cpu and user and system then cpu = (user + system) * 1000 end
  return {
    cpu_ns = cpu, user_us = user, system_us = system,
    max_rss_bytes = resident and resident * 1024,
    memory_peak_bytes = tonumber(facts.memory_peak),
    blocks_read = tonumber(facts.inblock), blocks_written = tonumber(facts.oublock),
  }
end

--- Bytes that were not kept, or that the backend knows to be missing.
local function truncated(facts, stream)
  local told = type(facts.truncated) == "table" and facts.truncated[stream] == true
  return told or above_zero(facts[stream .. "_dropped"])
end

--- Make the result.
---@param exit table<string, string>? from `parse_exit`; without it the execution is lost
---@param evidence table? the backend's facts: `killed`, `truncated`, `oom_kills`, …
---@param opts? { subject?: string } what the failed step was about, such as the program's name
---@return exhost.Result
function result.from(exit, evidence, opts)
  local facts = merge(exit, evidence)
  local killed = facts.killed == true or lost_to_others(facts)
  local r = { killed = killed, evidence = facts, usage = usage(facts) }
  r.truncated = { stdout = truncated(facts, "stdout"), stderr = truncated(facts, "stderr") }
  r.started_at, r.finished_at = facts.started_at, facts.finished_at
  if not exit then
    r.reason = "lost"
    r.error_msg = "lost: the supervisor is gone, so how the workload ended is not known"
    return r
  end
  r.signal, r.exit_code = tonumber(facts.signal), tonumber(facts.code)
  if r.signal then r.exit_code = 128 + r.signal end
  r.reason, r.error_msg = judge(facts, r, opts or {})
  for _, key in ipairs(TOLD) do facts[key] = nil end
  return r
end

--- Success is what ended by itself, with code 0.
---@param r exhost.Result
---@return "success"|"failed"
function result.status(r)
  local ok = r.reason == "exited" and r.exit_code == 0 and not r.killed
  return ok and "success" or "failed"
end

return result
