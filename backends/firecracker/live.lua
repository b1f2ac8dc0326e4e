--- What a machine that runs is asked: by the relay's FIFO, and by the monitor's socket.

local api = require "backends.firecracker.api"
local execs = require "exhost.execs"
local jail = require "backends.firecracker.jail"
local machine = require "backends.firecracker.machine"
local network = require "backends.firecracker.network"
local usage = require "exhost.usage"

local live = {}

local function folder(execution)
  local dir, err = execution.dir:open(machine.FOLDER)
  if not dir then return nil, "open the machine's folder: " .. err, "not_found" end
  return dir
end

--- To the main process in the guest alone.
function live.signal(_, execution, number)
  if not execution.plan.argv then
    return nil, "nothing in this guest takes signals: it runs no command of exhost's",
      "unsupported"
  end
  local dir, err, code = folder(execution)
  if not dir then return nil, err, code end
  local ok, why
  ok, why, code = dir:fifo_write("guest", "signal " .. number .. "\n")
  dir:close()
  if ok then return true end
  if code == "ENXIO" or code == "EPIPE" then return nil, "no machine listens", "not_found" end
  return nil, "signal: " .. why, "io"
end

--- A command beside the job, as its user and in its folder and environment. Suspends; when the
--- caller is interrupted it is killed.
function live.exec(_, execution, argv, options)
  if not execution.plan.argv then
    return nil, "nothing in this guest starts commands: it runs none of exhost's", "unsupported"
  end
  local dir, err, code = folder(execution)
  if not dir then return nil, err, code end
  local result, why, data
  result, why, code, data = execs.run({ dir = dir, fifo = "guest" }, argv, options,
    execution.settings)
  dir:close()
  return result, why, code, data
end

local function change_state(execution, state)
  local dir, err, code = folder(execution)
  if not dir then return nil, err, code end
  local where, ok, why = dir, nil, nil
  if execution.plan.jail then where, why = jail.open(dir, execution) end
  if where then
    ok, why, code = api.call(where, "PATCH", "/vm", { state = state })
    where:close()
  else
    code = "not_found"
  end
  if where ~= dir then dir:close() end
  if not ok then return nil, why, code end
  return true
end

--- What the monitor uses: the guest's processors and memory are its own. Suspends.
---@return table? stats, string? err, string? code
function live:stats(execution)
  return usage.stats(self.samples, execution.id, function()
    local pids = usage.family(execution.record.pid)
    table.remove(pids, 1) -- the relay
    local sum = usage.of(pids)
    sum.total, sum.memory = sum.user + sum.system, sum.rss
    return sum
  end, (execution.plan.limits or {}).memory or 0)
end

--- Stop the machine's clock. Suspends.
function live.pause(_, execution)
  return change_state(execution, "Paused")
end

--- Let it go on. Suspends.
function live.resume(_, execution)
  return change_state(execution, "Resumed")
end

--- This host's end, and the guest's address.
function live.net_info(_, execution)
  return network.info(execution)
end

return live
