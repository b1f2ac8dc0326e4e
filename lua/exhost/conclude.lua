--- From an ended workload to its one result: by any host, and the first one wins.

local async = require "exhost.async"
local common = require "exhost.execution.common"
local dirs = require "exhost.dir"
local events = require "exhost.events"
local json = require "exhost.json"
local ledger = require "exhost.ledger"
local loop = require "exhost.loop"
local result = require "exhost.result"
local state = require "exhost.state"
local text = require "exhost.text"
local base64 = require "exhost.base64"

local conclude = {}

local LOCK_SECONDS, STORE_SECONDS = 60, 60

--- The folder of the logs: ResultsDir where given, else the execution's own. Jobs may write
--- around there, so it has to be the one that it was at start.
---@return any? dir, string? err close it unless it is view.dir
function conclude.log_dir(view)
  local record = view.record or {}
  if not record.log_dir then return view.dir end
  local dir, err = dirs.open(record.log_dir, { no_follow = true })
  if dir and dir:inode() == record.log_inode then return dir end
  if dir then dir:close() end
  return nil, string.format("open results_dir %s: %s", record.log_dir,
    err or "another folder took its place")
end

local function read_exit(dir)
  local content = dir:read("exit", 65536)
  return content and result.parse_exit(content) or nil
end

--- Whether the shim says that nothing of the workload ran.
function conclude.never_ran(view)
  local exit = read_exit(view.dir)
  return exit ~= nil and exit.never_ran == "1"
end

--- When what is kept for so long from now on expires: wall time, to the millisecond, as more
--- digits are only noise in the record.
function conclude.expiry(seconds)
  return math.floor((loop.time() + seconds) * 1000) / 1000
end

local function describe(r)
  return { reason = r.reason, exit_code = r.exit_code, signal = r.signal,
    message = r.error_msg, evidence = r.evidence }
end

local function free_gpus(executor, view)
  if view.record and view.record.holds_gpus then ledger.free(executor.state, view.id) end
end

--- Shielded: who waits may leave at any time, but the result and the word of it belong
--- together.
local function store_result(executor, view, r)
  local content, err = json.encode(r)
  if not content then return nil, "encode result: " .. err, "internal" end
  local ok, why, code = async.await(function(done)
    local queued, problem, name = view.dir:link_synced("result.json", content, done)
    if not queued then done(nil, problem, name) end
  end)
  if ok then
    free_gpus(executor, view)
    executor:event(view, "concluded", describe(r))
  elseif code ~= "EEXIST" then
    return nil, "write result.json: " .. tostring(why), code == "timeout" and code or "io"
  end
  return true
end

--- With the lock held.
local function make_result(executor, view)
  if view.dir:stat("result.json") then return true end
  local exit = read_exit(view.dir)
  local backend, why, kind = executor:backend(view.record and view.record.backend)
  if not backend then return nil, why, kind end
  local evidence
  evidence, why, kind = backend:conclude(executor:execution(view), exit)
  if not evidence then return nil, why, kind end
  evidence.unenforced = (view.record or {}).unenforced -- limits, known since the start
  local r = result.from(exit, evidence, {})
  local kept = (view.record or {}).retention or executor.settings.retention
  r.expires_at = conclude.expiry(kept)
  r.execution_id, r.job_id = view.id, view.record and view.record.job_id
  local ok
  ok, why, kind = async.shield(STORE_SECONDS, store_result, executor, view, r)
  if ok then view.state, view.is_new = "concluded", true end -- nobody else had the lock
  return ok, why, kind
end

--- Write result.json unless somebody did. The execution has ended (exited or lost).
--- Suspends. With `locked` the caller holds the execution's lock.
---@return true? ok, string? err, string? code
function conclude.run(executor, view, locked)
  local lock, err, code
  if not locked then
    lock, err, code = executor.state:lock_execution(view, LOCK_SECONDS)
    if not lock then
      if code == "not_found" then return true end -- removed meanwhile
      return nil, "conclude " .. view.id .. ": " .. err, code
    end
  end
  local ok
  ok, err, code = common.holding(lock, make_result, executor, view)
  if not ok then return nil, "conclude " .. view.id .. ": " .. tostring(err), code or "internal" end
  return true
end

local function above_zero(evidence, key)
  return (tonumber((evidence or {})[key]) or 0) > 0
end

--- The last `limit` bytes that the workload wrote to a stream. Older content of the file
--- (a ResultsDir that is used again) is not its output.
local function output(dir, file, r, stream, limit)
  local evidence = r.evidence or {}
  local written = tonumber(evidence[stream .. "_bytes"])
  local dropped = tonumber(evidence[stream .. "_dropped"]) or 0
  local wanted = written and math.min(limit, written - dropped) or limit
  local bytes = wanted > 0 and dir:read_at(file, -wanted, wanted)
  bytes = bytes or "" -- or there was nothing to read
  local above = written ~= nil and written - dropped > limit
  local cut = above or written ~= nil and #bytes < wanted -- somebody emptied or moved the file
  if above then bytes = text.cut_tail(bytes, limit) end
  return bytes, cut
end

--- The stored result with the output. A torn result.json reads as lost.
---@return table? result, string? err, string? code
function conclude.give(executor, view)
  local r = state.read_json(view.dir, "result.json")
  if not r or not r.reason then
    r = result.from(nil, { result = "result.json does not parse" }, {})
  end
  local dir = conclude.log_dir(view)
  local limit = executor.settings.output_limit
  r.truncated = r.truncated or {}
  for _, stream in ipairs { "stdout", "stderr" } do
    local bytes, cut = "", above_zero(r.evidence, stream .. "_bytes")
    if dir then bytes, cut = output(dir, stream .. ".log", r, stream, limit) end
    r[stream] = bytes
    r.truncated[stream] = r.truncated[stream] or cut
  end
  if dir and dir ~= view.dir then dir:close() end
  return r
end

--- A result as it travels in JSON: output that is not text also exact, in base64.
function conclude.to_json(r)
  local copy = {}
  for key, value in pairs(r) do copy[key] = value end
  for _, stream in ipairs { "stdout", "stderr" } do
    local bytes = copy[stream] or ""
    if not text.valid(bytes) then
      copy[stream] = text.clean(bytes)
      copy[stream .. "_base64"] = base64.encode(bytes)
    end
  end
  return copy
end

--- Undo a start that never let the workload run: nothing stays but its events. What the
--- backend cannot remove now is kept track of, so that whoever looks next tries again. The
--- caller holds the lock. Suspends.
---@return true? ok, string? err, string? code
function conclude.roll_back(executor, view, why)
  executor:event(view, "rolled_back", { why = why })
  local record = view.record
  local backend = executor:backend(record and record.backend)
  if backend and record and record.handle then
    local gone, err, code = backend:remove(record.handle, executor:execution(view))
    if not gone then
      executor:event(view, "left_behind", { why = tostring(err) })
      record.phase = "creating"
      state.write(view.dir, record)
      return nil, "what was made for it is left behind: " .. tostring(err), code or "io"
    end
  end
  executor.state:keep_failed(view.id, view.dir:read(events.FILE) or "")
  free_gpus(executor, view)
  executor.state:release_job(record and record.job_id, view.id)
  return executor.state:discard(view.id)
end

return conclude
