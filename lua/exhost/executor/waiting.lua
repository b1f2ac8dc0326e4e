--- Waiting for an execution: for its result, or for a status. Methods of an executor.

local async = require "exhost.async"
local execution = require "exhost.execution"
local observe = require "exhost.observe"
local scalars = require "exhost.schema.scalars"

---@class exhost.Executor
local Executor = {}

local WAIT_FOR_STATUS_SECONDS = 10

local function follow(watch, wake)
  watch.followers = watch.followers or {}
  watch.followers[wake] = true
end

--- Who waits first watches the execution, others follow: a wait costs them no descriptor. One
--- that leaves early hands the watch to a follower.
local function join_wait(self, id)
  while true do
    local watch = self.waits[id]
    if not watch then
      watch = {}
      self.waits[id] = watch
      watch.answer = { pcall(execution.dispatch, self, id, "wait") }
      self.waits[id] = nil
      watch.left = watch.answer[2] == nil and async.interrupted()
      for wake in pairs(watch.followers or {}) do wake(true) end
      if not watch.answer[1] then error(watch.answer[2], 0) end
      return unpack(watch.answer, 2, 5)
    end
    local ok, word, code = async.await(function(done)
      follow(watch, done)
      return function() watch.followers[done] = nil end
    end)
    if not ok then return nil, word, code end
    if not watch.left then
      if not watch.answer[1] then return nil, tostring(watch.answer[2]), "internal" end
      return unpack(watch.answer, 2, 5)
    end
  end
end

--- Follow a wait that goes on already, without a task: thousands may.
---@param report fun(result: table?, err: string?, code: string?) called once
---@return fun()? abort nil: nobody waits for it yet, so a task has to
function Executor:follow_wait(id, report)
  local watch, task, aborted = self.waits[id], nil, nil
  if not watch then return nil end
  local function wake()
    if not watch.left then
      if not watch.answer[1] then return report(nil, tostring(watch.answer[2]), "internal") end
      return report(unpack(watch.answer, 2, 5))
    end
    watch = self.waits[id] -- of another follower who took over
    if watch then return follow(watch, wake) end
    local function tell(...)
      if not aborted then report(...) end
    end
    task = async.spawn(function() tell(join_wait(self, id)) end, {
      on_error = function(message) tell(nil, tostring(message), "internal") end })
  end
  follow(watch, wake)
  return function()
    aborted = true
    if task then return async.cancel(task) end
    watch.followers[wake] = nil
  end
end

--- The result; repeatable. `timeout` in seconds, nil for none.
---@return table? result, string? err, string? code
function Executor:wait(id, timeout)
  local value, err, code = async.with_deadline(timeout, join_wait, self, id)
  if code == "timeout" then
    err = string.format("wait for execution (%s): timeout", id)
  end
  return value, err, code
end

local STATUS = { values = { "pending", "running", "paused", "success", "failed" } }
local ENDED = { success = true, failed = true }

--- Wait until the execution has this status. A status that can no longer come is an
--- error at once, and so is a word that is none. Suspends.
---@param status "pending"|"running"|"paused"|"success"|"failed"
---@param timeout number? seconds, default 10
---@return true? ok, string? err, string? code "invalid", "timeout", "already_completed", …
function Executor:wait_for_status(id, status, timeout)
  local known, why = scalars.enum(STATUS, status)
  if not known then return nil, "wait_for_status: status: " .. why, "invalid" end
  local failure = string.format("execution (%s) did not reach status %s", id, status)
  return async.with_deadline(timeout or WAIT_FOR_STATUS_SECONDS, function()
    while true do
      local now, err, code = self:status(id)
      if not now then
        if code == "timeout" then return nil, failure, code end
        return nil, err, code
      end
      if now == status then return true end
      if ENDED[now] then return nil, failure .. " (it is " .. now .. ")", "already_completed" end
      local view = observe.look(self.state, id)
      local signal = view and view.dir and observe.listen(view)
      local ok, word = true, nil
      if signal then
        -- Anything between the look and the listening is seen by this second look.
        if self:status(id) == now then ok, word = signal:wait() end
        signal:close()
      end
      if view then view:close() end
      if not ok then return nil, word == "timeout" and failure or word, word end
    end
  end)
end

return Executor
