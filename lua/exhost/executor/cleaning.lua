--- Removing everything, or what has expired. Methods of an executor.

local async = require "exhost.async"
local backends = require "exhost.backend"

---@class exhost.Executor
local Executor = {}

local REMOVED_AT_ONCE = 64
local LEAST_SECONDS, MOST_SECONDS = 1, 600 -- between two looks for what has expired

--- What a backend's engine has of ours, whatever is on disk. An engine that is not there holds
--- nothing up where nothing of it is known here.
---@param known boolean whether there is
---@return string? failure
local function clean_engine(self, name, known)
  local backend, err, code = self:backend(name)
  local ok = backend ~= nil
  if backend and backend.cleanup then ok, err, code = backend:cleanup() end
  if ok or not known and (not backend or code == "unavailable") then return nil end
  return err
end

--- Stop and remove everything of this executor (of the handle's backend, when it has one),
--- half-made and left-over things too. Suspends.
---@return true? ok, string? err, string? code
function Executor:cleanup()
  local list, word, kind = self:list { all = true }
  if not list then return nil, word, kind end
  local jobs, failures, known = {}, {}, { [self.only or self.default_backend] = true }
  for _, entry in ipairs(list) do
    known[entry.backend or ""] = true
    jobs[#jobs + 1] = function()
      local ok, err, code = self:remove(entry.execution_id)
      if not ok and code ~= "not_found" then failures[#failures + 1] = err end
    end
  end
  async.all(jobs, REMOVED_AT_ONCE)
  self.state:sweep()
  for _, name in ipairs(self.only and { self.only } or backends.names(self.lua_path)) do
    failures[#failures + 1] = clean_engine(self, name, known[name])
  end
  if #failures > 0 then
    return nil, "failed to remove executions: " .. table.concat(failures, "; "), "io"
  end
  return true
end

--- Recover, and go on with it from time to time, so that what expires is deleted though the host
--- stays up for months. Suspends until it is cancelled.
---@param ready? fun() called after the first time
function Executor:tend(ready)
  local seconds = math.min(math.max(self.settings.retention / 4, LEAST_SECONDS), MOST_SECONDS)
  self:recover()
  if ready then ready() end
  while async.sleep(seconds) do self:recover() end
end

return Executor
