--- The control groups of one execution: their place, their end. exhost.cgroup has the files.

local async = require "exhost.async"
local cgroup = require "exhost.cgroup"
local system = require "exhost.system"

local groups = {}

local TRIES, PAUSE = 200, 0.01

--- A name for an execution's groups, and the word of where they are in its record: they are made
--- below the group of the host that starts it (a login session, say), which need not be another's.
---@param found exhost.Cgroups
---@param prefix string
---@return string name
function groups.name(found, prefix, execution)
  execution.record.cgroups = { version = found.version, parents = found.parents }
  return prefix .. execution.id .. "." .. system.random_hex(4)
end

--- Where an execution's groups are.
---@param found exhost.Cgroups this host's own
---@return exhost.Cgroups
function groups.of(found, execution)
  local stored = execution.record and execution.record.cgroups
  if not stored then return found end
  return setmetatable({ version = stored.version, parents = stored.parents }, { __index = found })
end

--- Kill all that is in it. Suspends.
---@return true? ok nil: something is still there
function groups.kill(found, name)
  for _ = 1, TRIES do
    if cgroup.kill(found, name) == 0 then return true end
    async.sleep(PAUSE)
  end
  return nil
end

--- Kill all that is in it and remove it. Any number of times. Suspends.
---@return true? ok, string? err, string? code
function groups.remove(found, name)
  groups.kill(found, name)
  local ok, err
  for _ = 1, TRIES do
    ok, err = cgroup.remove(found, name)
    if ok then return true end
    async.sleep(PAUSE)
  end
  return nil, err, "io"
end

--- Kill all processes that carry an execution's mark in their environment: best effort, where
--- there is no group. Those that were being forked during one look are met by the next. Suspends.
---@param id string
---@return integer killed
function groups.sweep(id)
  local killed = 0
  for _ = 1, TRIES do
    local count = async.await(function(done)
      local queued = system.sweep("EXHOST_EXECUTION=" .. id, done)
      if not queued then done(0) end
    end)
    if not count or count == 0 then break end
    killed = killed + count
    async.sleep(PAUSE)
  end
  return killed
end

return groups
