--- Which execution holds which job, and the second ids of executions. Methods of a state.

local lock_file = require "exhost.state.lock"

---@class exhost.State
local State = {}

--- Run fn while nobody else changes jobs/. Suspends.
function State:with_jobs(fn)
  local lock, err, code = lock_file(self.dir, "jobs.lock", 10)
  if not lock then return nil, "lock jobs: " .. err, code end
  local a, b, c = fn()
  lock:close()
  return a, b, c
end

--- Which execution holds a job: nil when none, or when it is gone.
---@return string? execution
function State:job_holder(job)
  local id = self.jobs:read(job, 256)
  if id and self.executions:stat(id) then return id end
  return nil
end

--- Take the job for an execution. Suspends.
---@return boolean? taken, string? holder or message, string? code
function State:claim_job(job, id)
  return self:with_jobs(function()
    local holder = self:job_holder(job)
    if holder and holder ~= id then return false, holder end
    local ok, err = self.jobs:write(job, id)
    if not ok then return nil, "write jobs/" .. job .. ": " .. err, "io" end
    return true
  end)
end

--- Free the job that this execution holds, if it does. Suspends.
---@param job string? nil when it is not known any more
function State:release_job(job, id)
  return self:with_jobs(function()
    for _, name in ipairs(job and { job } or self.jobs:list() or {}) do
      if self.jobs:read(name, 256) == id then self.jobs:unlink(name) end
    end
    return true
  end)
end

--- Let a second id stand for an execution (a DMS that restarted). Suspends.
---@return boolean? ok false when the execution is gone, string? err, string? code
function State:add_alias(alias, id)
  return self:with_jobs(function()
    if not self.executions:stat(id) then return false end
    local ok, err = self.aliases:write(alias, id)
    if not ok then return nil, "write alias: " .. err, "io" end
    return true
  end)
end

return State
