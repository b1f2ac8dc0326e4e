--- What the engine knows of a container that has ended: one inspect, and who killed it.

local containers = require "backends.docker.containers"
local json = require "exhost.json"
local loop = require "exhost.loop"
local times = require "exhost.times"
local provision = require "backends.docker.provision"

local EVENTS_SECONDS = 5

--- The last kill that the engine tells of, with its signal. Kept events are bounded and do
--- not survive its restart, so nothing here means nothing.
local function last_kill(api, id, started)
  local killed
  local filters = json.encode { container = json.array { id }, event = json.array { "kill" } }
  local now = math.ceil(loop.time())
  api:call("GET", "/events", { query = { since = started or now - 3600, ["until"] = now,
    filters = filters }, timeout = EVENTS_SECONDS, on_data = function(bytes)
      for line in bytes:gmatch("[^\n]+") do
        local event = json.decode(line)
        local attributes = type(event) == "table" and event.Actor and event.Actor.Attributes or {}
        if attributes.signal then killed = tonumber(attributes.signal) or killed end
      end
    end })
  return killed
end

--- Whether it ended while the engine was away: then nobody read the last of its output, and
--- engines do not keep it.
local function ended_unseen(exit, state)
  local away = exit.engine_away_at and times.parse_rfc3339(exit.engine_away_at)
  local ended = away and times.parse_rfc3339(state.FinishedAt or "")
  return ended ~= nil and ended >= away
end

--- The supervisor has seen all that matters of one that ended with 0 under an engine that was
-- there: it has looked at the container too.
local function is_plain(exit)
  return exit ~= nil and exit.code == "0" and not exit.removed and not exit.engine_away_at
    and not exit.engine_error
end

--- Evidence for the result. `exit` is the shim's, nil when there is none. Suspends.
---@return table? evidence, string? err, string? code
return function(backend, execution, exit)
  local api = backend.api
  local evidence = {}
  backend.samples[execution.id] = nil
  if is_plain(exit) then
    evidence.container, evidence.image = execution.record.container, execution.record.image
    return evidence
  end
  local record, err, code = containers.inspect(backend, execution)
  if not record then
    evidence.inspect = err
    if code == "not_found" then
      evidence.removed = true
      -- Removed by force: SIGKILL, and not by us.
      if exit and tonumber(exit.code) == 137 and not exit.stop_by then evidence.killed = true end
    end
    return evidence
  end
  local state = record.State or {}
  evidence.container, evidence.image = record.Id, record.Image
  -- A busy engine may miss it; the supervisor has it from the kernel, where it can.
  evidence.oom_killed = state.OOMKilled or exit and exit.oom_killed == "1" or nil
  if not exit and not state.Running then
    evidence.exit_code = state.ExitCode
    evidence.finished_at = state.FinishedAt
  end
  if state.Error and state.Error ~= "" then evidence.engine_error = state.Error end
  if exit and ended_unseen(exit, state) then
    evidence.output = "the engine was away when it ended: what was written meanwhile may be missing"
  end
  local code_seen = exit and tonumber(exit.code) or state.ExitCode
  local stopped = exit and exit.stop_by
  if code_seen and code_seen > 128 and not stopped then
    local number = last_kill(api, record.Id)
    if number == code_seen - 128 then evidence.signal, evidence.killed = number, true end
  end
  if code_seen and code_seen ~= 0 and execution.plan.scripts then
    evidence.script = provision.failed(api, record.Id)
  end
  return evidence
end
