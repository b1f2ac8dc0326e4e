--- What is kept for a while, and what crashes left. Methods of a state.

local async = require "exhost.async"
local loop = require "exhost.loop"

local FAILED_KEEP, FAILED_AGE = 100, 24 * 3600
local TEMPORARY_AGE = 60 -- no write takes as long: its host died in it

---@class exhost.State
local State = {}

--- Keep the events of a start that failed, for `why`; bounded in number and age.
function State:keep_failed(id, events)
  if self.failed:write(id, events) then
    local names = self.failed:list() or {}
    if #names > FAILED_KEEP then self:prune_failed(names) end
  end
end

--- Delete the oldest events of failed starts.
function State:prune_failed(names)
  local list = {}
  for _, name in ipairs(names or self.failed:list() or {}) do
    local st = self.failed:stat(name)
    if st then list[#list + 1] = { name = name, mtime = st.mtime } end
  end
  table.sort(list, function(a, b) return a.mtime > b.mtime end)
  local oldest = loop.time() - FAILED_AGE
  for i, entry in ipairs(list) do
    if i > FAILED_KEEP or entry.mtime < oldest then self.failed:unlink(entry.name) end
  end
end

--- Files that their writers did not live to put into place.
local function sweep_temporary(dir)
  local oldest = loop.time() - TEMPORARY_AGE
  for _, name in ipairs(dir:list(true) or {}) do
    local st = name:sub(1, 5) == ".tmp-" and dir:stat(name)
    if st and st.mtime < oldest then dir:unlink(name) end
  end
end

--- Folders that were never renamed. A start in progress holds its lock.
local function sweep_new(executions)
  for _, name in ipairs(executions:list() or {}) do
    local dir = name:sub(1, 5) == ".new-" and executions:open(name)
    local lock = dir and dir:lock("lock")
    if lock then
      executions:remove_tree(name)
      lock:close()
    end
    if dir then dir:close() end
  end
end

--- Delete what crashes and removals left. Suspends.
function State:sweep()
  for _, name in ipairs(self.trash:list() or {}) do
    self.trash:remove_tree(name)
  end
  sweep_new(self.executions)
  for _, folder in ipairs { "jobs", "aliases", "failed" } do sweep_temporary(self[folder]) end
  local give_way = async.pacer()
  self:with_jobs(function()
    for _, dir in ipairs { self.jobs, self.aliases } do
      for _, name in ipairs(dir:list() or {}) do
        if not give_way() then return end
        local target = dir:read(name, 256)
        if not target or not self.executions:stat(target) then dir:unlink(name) end
      end
    end
  end)
  self:prune_failed()
end

return State
