--- What an execution's end means: from the shim's `exit` and the backend's evidence to
-- the one result that everybody reads. Pure. Design.md section 3.

local signals = require "exhost.signals"

local result = {}

local WHOLE = { "code", "signal", "pid", "utime_us", "stime_us", "maxrss_kb", "memory_peak",
  "cpu_ns", "stop_signal", "oom_kills", "memory_failcnt", "pids_events", "stdout_bytes",
  "stderr_bytes", "stdout_dropped", "stderr_dropped", "drop_errno", "strays_killed", "error",
  "duration_ns", "inblock", "oublock", "bad_control", "strays_left", "core", "stop_killed" }

--- Read the shim's exit file. Nil for an empty or torn one: that reads as lost.
---@param text string
---@return table<string, string>? exit
function result.parse_exit(text)
  local exit = {}
  if text:sub(-1) ~= "\n" then return nil end
  for key, value in text:gmatch("([%w_]+)=([^\n]*)\n") do exit[key] = value end
  return exit.format == "1" and exit or nil
end

local function numbers(exit)
  local n = {}
  for _, key in ipairs(WHOLE) do n[key] = tonumber(exit[key]) end
  return n
end

local STOPPED = { cancel = "cancelled", remove = "cancelled", deadline = "timeout" }

--- A kill by the kernel for memory: there was one, and the end looks like it.
local function is_oom(n)
  return (n.oom_kills or 0) > 0 and (n.signal == 9 or (n.code or 0) ~= 0)
end

local function reason_of(exit, n)
  if STOPPED[exit.stop_by] then return STOPPED[exit.stop_by] end
  if exit.error or exit.step then return "start_failed" end
  if is_oom(n) then return "oom" end
  return n.signal and "signaled" or "exited"
end

local function message_of(reason, exit, n)
  if reason == "exited" then
    return n.code ~= 0 and string.format("exited with code %d", n.code or -1) or nil
  end
  local ended = n.signal and "it ended by " .. signals.name(n.signal)
    or n.code and string.format("it exited with code %d", n.code) or "it ended"
  if reason == "signaled" then
    return "ended by signal " .. signals.name(n.signal) .. (n.core and " (core dumped)" or "")
  elseif reason == "oom" then
    return "killed: out of memory"
  elseif reason == "cancelled" then
    return "cancelled: " .. ended
  elseif reason == "timeout" then
    return "deadline reached: " .. ended
  elseif exit.script then
    return string.format("provision script %s failed: %s", exit.script, ended)
  end
  return string.format("could not be started: %s failed (error %s)", exit.step or "start",
    exit.error or "?")
end

local function usage_of(n)
  return {
    cpu_ns = n.cpu_ns, user_us = n.utime_us, system_us = n.stime_us,
    max_rss_bytes = n.maxrss_kb and n.maxrss_kb * 1024, memory_peak_bytes = n.memory_peak,
  }
end

local FACTS = { "stop_by", "step", "script", "pipe_grace", "drop_limit" }
local COUNTS = { "stop_signal", "stop_killed", "oom_kills", "memory_failcnt", "pids_events",
  "stdout_bytes", "stderr_bytes", "stdout_dropped", "stderr_dropped", "drop_errno",
  "strays_killed", "strays_left", "error", "duration_ns" }

local function evidence_of(exit, n, more)
  local evidence = {}
  for _, key in ipairs(FACTS) do evidence[key] = exit[key] end
  for _, key in ipairs(COUNTS) do evidence[key] = n[key] end
  for key, value in pairs(more or {}) do evidence[key] = value end
  return evidence
end

local function lost(evidence)
  return { reason = "lost", killed = false, truncated = { stdout = false, stderr = false },
    error_msg = "its supervisor is gone and left no exit record: how it ended is not known",
    evidence = evidence or {} }
end

--- Make the result.
---@param exit table<string, string>? result.parse_exit(); nil: there is none
---@param evidence table? the backend's; `killed = true`: somebody outside killed it
---@return table result without the output
function result.from(exit, evidence)
  if not exit then return lost(evidence) end
  local n = numbers(exit)
  local reason = reason_of(exit, n)
  local cut = exit.pipe_grace ~= nil
  return {
    reason = reason, signal = n.signal,
    exit_code = n.signal and 128 + n.signal or n.code,
    error_msg = message_of(reason, exit, n),
    killed = evidence ~= nil and evidence.killed == true,
    truncated = { stdout = cut or (n.stdout_dropped or 0) > 0,
      stderr = cut or (n.stderr_dropped or 0) > 0 },
    started_at = exit.started_at, finished_at = exit.finished_at,
    usage = usage_of(n), evidence = evidence_of(exit, n, evidence),
  }
end

---@return "success"|"failed"
function result.status(r)
  return r.reason == "exited" and r.exit_code == 0 and not r.killed and "success" or "failed"
end

return result
