--- What a running execution uses: from its control group where there is one, else summed
-- over its processes in /proc.

local groupusage = require "exhost.groupusage"
local usage = require "exhost.usage"

local function look(groups, execution)
  local handle = execution.handle
  if handle and handle ~= "none" then return (groupusage.look(groups, handle)) end
  local sum = usage.of(usage.family(execution.record.pid))
  return { total = sum.user + sum.system, user = sum.user, system = sum.system,
    memory = sum.rss, read = sum.read, written = sum.written, pids = sum.pids }
end

--- Suspends: exhost.usage has the form.
---@return table? stats, string? err, string? code
return function(backend, execution)
  local limit = execution.plan.limits and execution.plan.limits.memory
  return usage.stats(backend.samples, execution.id, function()
    return look(backend:groups_of(execution), execution)
  end, limit or usage.machine_memory() or 0)
end
