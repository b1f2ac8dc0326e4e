--- Tasks on the loop: plain functions that suspend.
--
-- Only Lua yields; C has callbacks (design.md section 10). A task is a coroutine with a
-- deadline. `await` is the one place where it suspends; whatever ends it early (a
-- cancel, a deadline) first aborts the operation it waits for and then resumes it with
-- nil, "cancelled" | "timeout" and that word as the code.

local loop = require "exhost.loop"

local async = {}

---@class exhost.Task
---@field co thread
---@field deadline number? on the monotonic clock
---@field cancelled boolean?
---@field shielded boolean? cancel and inherited deadlines do not reach it
---@field interrupt fun(word: string)? ends the await it is in
---@field children exhost.Task[]? those it waits for in `all`, which share its cancel
---@field done boolean?
---@field actor table? whom it works for; tasks that it starts inherit it
---@field preempted boolean? it goes on in the loop's next turn (take_turns)

---@type table<thread, exhost.Task>
local tasks = setmetatable({}, { __mode = "k" })
---@type table<exhost.Task, true> every task that has not ended
local alive = {}

local function pack(...)
  return { n = select("#", ...), ... }
end

--- The running task; raises outside of one.
---@return exhost.Task
local function current()
  local task = tasks[coroutine.running() or 0]
  if not task then
    error("this function suspends: call it from a task", 3)
  end
  return task
end

local NOTHING = pack(true) -- what most tasks answer

local function finish(task, ok, ...)
  task.done = true
  alive[task], tasks[task.co] = nil, nil -- not left to the collector: a big weak table is slow
  task.result = ok and select("#", ...) == 0 and NOTHING or pack(ok, ...)
  if not task.waiters then return end
  for _, waiter in ipairs(task.waiters) do waiter() end
end

local DONE = {} -- what a coroutine yields when its function has answered
local MOST_IDLE = 64
local idle, idle_count = {}, 0 -- coroutines that wait for another function: making one costs more

local function work(fn, ...)
  return work(coroutine.yield(DONE, fn(...)))
end

local step

local function after_step(task, ok, word, ...)
  if not ok then
    local message = word
    if type(message) ~= "table" then
      message = debug.traceback(task.co, tostring(message))
    end
    finish(task, false, message)
    -- Raised in a call of its own, where the C doorway reports it: whoever resumed this
    -- task by chance has nothing to do with it.
    local on_error = task.on_error or function() error(message, 0) end
    loop.timer(0, function() on_error(message, task) end)
  elseif word == DONE then
    if idle_count < MOST_IDLE then
      idle_count = idle_count + 1
      idle[idle_count] = task.co
    end
    finish(task, true, ...)
  elseif task.preempted then
    task.preempted = nil
    loop.next_turn(function() step(task) end)
  end
end

function step(task, ...)
  return after_step(task, coroutine.resume(task.co, ...))
end

--- Whom the running task works for, when that is somebody else than this program.
---@return table? actor as it was given to `spawn`
function async.actor()
  local task = tasks[coroutine.running() or 0]
  return task and task.actor
end

--- Start a task. It runs at once, up to where it first suspends. It has a deadline of its
--- own or none; its error is told to on_error, or else on stderr, and ends nothing else.
---@param fn fun(...)
---@param options? { on_error: fun(message, task: exhost.Task), deadline: number, actor: table }
---@return exhost.Task
function async.spawn(fn, options, ...)
  local co = idle[idle_count]
  if co then
    idle[idle_count], idle_count = nil, idle_count - 1
  else
    co = coroutine.create(work)
  end
  local task = { co = co, actor = async.actor() }
  if options then
    task.on_error, task.deadline = options.on_error, options.deadline
    task.actor = options.actor or task.actor
  end
  tasks[task.co] = task
  alive[task] = true
  step(task, fn, ...)
  return task
end

--- Suspend the running task until `start` reports.
---
--- `start(done)` begins an operation and may return a function that aborts it; `done`
--- is called once, now or later. A task that was cancelled, or whose deadline has
--- passed, does not begin: it gets nil, word, word at once.
---@param start fun(done: fun(...)): fun()?
---@return any ... what `done` was called with, or nil, "cancelled"|"timeout", the same
function async.await(start)
  local task = current()
  if not task.shielded and task.cancelled then
    return nil, "cancelled", "cancelled"
  end
  local left = task.deadline and task.deadline - loop.now()
  if left and left <= 0 then
    return nil, "timeout", "timeout"
  end
  local result, waiting, timer, abort
  local function report(...)
    if result then return end -- only the first report counts
    result = pack(...)
    task.interrupt = nil
    if timer then timer:stop() end -- a loser's timer would keep the loop alive
    if waiting then step(task) end
  end
  abort = start(report)
  if not result then
    task.interrupt = function(word)
      if result then return end
      if abort then abort() end
      report(nil, word, word)
    end
    if left then
      timer = loop.timer(left, function() if task.interrupt then task.interrupt("timeout") end end)
    end
    if task.cancelled and not task.shielded then task.interrupt("cancelled") end -- by `start`
    waiting = true
    if not result then coroutine.yield() end
    assert(result, "task resumed by someone else")
  end
  return unpack(result, 1, result.n)
end

--- Suspend for some time. Answers true, or nil, word when interrupted.
---@param seconds number
---@return true?, string?, string?
function async.sleep(seconds)
  return async.await(function(done)
    local timer = loop.timer(seconds, function() done(true) end)
    return function() timer:stop() end
  end)
end

--- Let everything else that is ready have its turn.
function async.yield()
  return async.sleep(0)
end

local TURN_SECONDS = 0.01

--- For work over many things that may never suspend by itself: a function to call at each of
--- them, which yields when the work has gone on for 10 ms since it last did.
---@return fun(): true?, string?, string? give_way nil, message, code when interrupted
function async.pacer()
  local from = loop.now()
  return function()
    if loop.now() - from < TURN_SECONDS then return true end
    local ok, word, code = async.yield()
    from = loop.now()
    return ok, word, code
  end
end

--- End a task early: its await is aborted and answers nil, "cancelled". Every later
--- await of it answers the same, until the task ends. A shielded part is finished first.
---@param task exhost.Task
function async.cancel(task)
  if task.done or task.cancelled then return end
  task.cancelled = true
  for _, child in ipairs(task.children or {}) do async.cancel(child) end
  if task.interrupt and not task.shielded then
    task.interrupt("cancelled")
  end
end

--- Call fn with a deadline at most `seconds` from now; an earlier one stays. Suspends.
---@param seconds number? nil: no new deadline
function async.with_deadline(seconds, fn, ...)
  if not seconds then return fn(...) end
  local task = current()
  local before = task.deadline
  local own = loop.now() + seconds
  task.deadline = before and math.min(before, own) or own
  local result = pack(pcall(fn, ...))
  task.deadline = before
  if not result[1] then error(result[2], 0) end
  return unpack(result, 2, result.n)
end

--- Call fn so that neither a cancel nor an outer deadline interrupts it, only its own:
--- the one way to clean up. Suspends.
---@param seconds number
function async.shield(seconds, fn, ...)
  local task = current()
  local deadline, shielded = task.deadline, task.shielded
  task.deadline, task.shielded = loop.now() + seconds, true
  local result = pack(pcall(fn, ...))
  task.deadline, task.shielded = deadline, shielded
  if not result[1] then error(result[2], 0) end
  return unpack(result, 2, result.n)
end

--- Wait for a task. Answers what its function answered, or nil, message on its error.
--- Interrupting the waiter does not end the task. Suspends.
---@param task exhost.Task
function async.join(task)
  if not task.done then
    local _, err, code = async.await(function(done)
      task.waiters = task.waiters or {}
      table.insert(task.waiters, function() done(true) end)
    end)
    if err then return nil, err, code end
  end
  local result = task.result
  if not result[1] then return nil, tostring(result[2]), "internal" end
  return unpack(result, 2, result.n)
end

--- async.all by so many tasks, each of which takes the next function.
local function some_at_once(list, limit)
  local next_one, results, workers = 0, {}, {}
  local function take_next()
    while next_one < #list do
      next_one = next_one + 1
      local i = next_one
      local result = pack(pcall(list[i]))
      results[i] = result[1] and pack(unpack(result, 2, result.n))
        or pack(nil, tostring(result[2]), "internal")
    end
  end
  for w = 1, limit do workers[w] = take_next end
  async.all(workers)
  return results
end

--- Run every function as a task of its own and wait until all have ended. They share this
--- task's deadline and its cancel, so that they end with it. Suspends.
---@param list (fun(): any)[]
---@param limit integer? the most that run at once; the next one begins when one has ended
---@return table results one packed {n, ...} each: what the function answered, or nil,
--- message, code
function async.all(list, limit)
  if limit and #list > limit then return some_at_once(list, limit) end
  local parent, running, results = current(), {}, {}
  local deadline, shielded = parent.deadline, parent.shielded
  for i, fn in ipairs(list) do
    running[i] = async.spawn(fn, { on_error = function() end, deadline = deadline })
    if parent.cancelled and not shielded then async.cancel(running[i]) end
  end
  if not shielded then parent.children = running end
  parent.deadline, parent.shielded = nil, true -- what interrupts us interrupts them
  for i, task in ipairs(running) do results[i] = pack(async.join(task)) end
  parent.deadline, parent.shielded, parent.children = deadline, shielded, nil
  return results
end

--- Whether the running task was cancelled or is past its deadline.
---@return string? word "cancelled" | "timeout"
function async.interrupted()
  local task = current()
  if task.cancelled and not task.shielded then return "cancelled" end
  if task.deadline and task.deadline <= loop.now() then return "timeout" end
  return nil
end

--- Seconds until the running task's deadline, or nil when it has none.
---@return number?
function async.time_left()
  local task = current()
  return task.deadline and math.max(0, task.deadline - loop.now())
end

--- Let code that is typed at a prompt take turns with other tasks, also when it never
--- suspends: repl/session.lua.
---@param library string the folder of sources that are not interrupted in the middle
function async.take_turns(library)
  require("exhost.typed").start(tasks, library)
end

--- Cancel every task; for the end of a host.
function async.cancel_all()
  local list = {}
  for task in pairs(alive) do list[#list + 1] = task end
  for _, task in ipairs(list) do async.cancel(task) end
end

---@return integer count of tasks that have not ended
function async.count()
  local n = 0
  for _ in pairs(alive) do n = n + 1 end
  return n
end

return async
