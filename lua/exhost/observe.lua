--- What state an execution is in, read from its folder, and when that may have changed.
--
-- States: absent creating abandoned starting running paused stopping exited lost
-- concluded removed newer. They are derived, never stored, so that any host may look at
-- any time and all see the same:
--   creating    a host holds the lock and prepares      abandoned  that host died
--   starting    the host was about to say go            lost       no shim and no exit
--   exited      the shim wrote `exit`                   concluded  result.json is there

local async = require "exhost.async"
local channel = require "exhost.channel"
local shim = require "exhost.shim"
local state = require "exhost.state"
local watch = require "exhost.watch"

local observe = {}

local RECHECK_SECONDS = 0.25 -- where a host's death leaves no trace to wait for

---@class exhost.View
---@field id string the execution's own id (the one asked for may be an alias)
---@field state string
---@field dir any open folder; close with :close()
---@field record table? state.json
local View = {}
View.__index = View

--- Give the folder back. Any number of times.
function View:close()
  if self.dir then self.dir:close() end
  self.dir = nil
end

local function is_locked(dir)
  local lock, _, code = dir:lock("lock", true)
  if lock then lock:close() end
  return code == "EAGAIN"
end

--- The state of an execution that may be running.
local function running_state(dir, phase)
  if dir:stat("exit") then return "exited" end
  if not shim.alive(dir) then
    -- It may have written `exit` between the two looks.
    return dir:stat("exit") and "exited" or "lost"
  end
  if dir:stat("cancel") then return "stopping" end
  return phase == "paused" and "paused" or "running"
end

local function derive(dir, record)
  local phase = record and record.phase
  if dir:stat("result.json") then return phase == "removed" and "removed" or "concluded" end
  if phase == "creating" then return is_locked(dir) and "creating" or "abandoned" end
  if phase == "starting" and is_locked(dir) then return "starting" end
  return running_state(dir, phase)
end

--- Look at an execution. The caller closes the view.
---@param store exhost.State
---@param id string
---@return exhost.View? view, string? err, string? code "io"; one that is not there is a view
function observe.look(store, id)
  local dir, real, code = store:open_execution(id)
  if not dir then
    if code ~= "not_found" then return nil, real, code end
    return setmetatable({ id = id, state = "absent" }, View)
  end
  local record, why, kind = state.read(dir)
  local view = setmetatable({ id = real, dir = dir, record = record }, View)
  if kind == "newer" then
    view.state, view.why = "newer", why
  else
    view.state = derive(dir, record)
  end
  return view
end

---@class exhost.Signal woken when an execution's folder or shim changes
local Signal = {}
Signal.__index = Signal

local NAMES = { exit = true, ["result.json"] = true, ["state.json"] = true }

--- Begin to listen for changes. Open it before looking, so that none is missed.
---@return exhost.Signal? signal, string? err, string? code
function observe.listen(view)
  local self = setmetatable({}, Signal)
  local function ring()
    self.rung = true
    if self.wake then self.wake() end
  end
  local err
  self.watch, err = watch.open(view.dir, function(name)
    if name == nil or NAMES[name] then ring() end
  end)
  if not self.watch then return nil, "watch execution: " .. err, "io" end
  -- Absent before the shim has opened it; then the pause in wait() looks again.
  self.hangup = channel.fifo_hangup(view.dir, "control", function()
    self.hangup = nil
    ring()
  end)
  return self
end

--- Wait for a change. Suspends; ends early with the task's deadline or cancel.
---@return true? ok, string? word, string? code
function Signal:wait()
  if self.rung then
    self.rung = false
    return true
  end
  local function wait()
    local ok, word, code = async.await(function(done)
      self.wake = function() done(true) end
    end)
    self.wake, self.rung = nil, false
    return ok, word, code
  end
  if self.hangup then return wait() end
  local ok, word, code = async.with_deadline(RECHECK_SECONDS, wait)
  if not ok and word == "timeout" and not async.interrupted() then return true end
  return ok, word, code
end

--- Listen no more. Any number of times.
function Signal:close()
  if self.watch then self.watch:close() end
  if self.hangup then self.hangup:close() end
  self.watch, self.hangup = nil, nil
end

return observe
