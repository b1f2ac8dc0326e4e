--- Log streams: a pipe, fed from the files by core/logread.c. No byte passes through Lua.

local conclude = require "exhost.conclude"
local async = require "exhost.async"
local logread = require "exhost.logread"
local loop = require "exhost.loop"
local observe = require "exhost.observe"
local system = require "exhost.system"

local log = {}

local INDEX_SECONDS = 0.05 -- the shim notes what came within 10 ms

local FORMATS = { raw = true, frames = true, jsonl = true }
local STREAMS = { stdout = true, stderr = true }
local OPTIONS = { tail = "boolean", follow = "boolean", timestamps = "boolean", lines = "number",
  since = "number", ["until"] = "number", stream = "string", format = "string",
  target = "number" }

local function check(options)
  for key, value in pairs(options) do
    if not OPTIONS[key] then return nil, "log option " .. tostring(key) .. ": unknown" end
    if type(value) ~= OPTIONS[key] then
      return nil, string.format("log option %s: expected %s, got %s", key, OPTIONS[key],
        type(value))
    end
  end
  if options.format and not FORMATS[options.format] then
    return nil, "log option format: expected raw, frames or jsonl, got " .. options.format
  end
  if options.stream and not STREAMS[options.stream] then
    return nil, "log option stream: expected stdout or stderr, got " .. options.stream
  end
  if options.lines and (options.lines < 0 or options.lines ~= math.floor(options.lines)) then
    return nil, "log option lines: expected a whole number of 0 or more"
  end
  return true
end

---@class exhost.LogStream
---@field fd integer? the pipe's read end, non-blocking; yours after :take()
local Stream = {}
Stream.__index = Stream

--- The read end, the caller's to close from then on.
function Stream:take()
  local fd = self.fd
  self.fd = nil
  return fd
end

--- End the stream early.
function Stream:close()
  if self.reader then self.reader:close() end
  if self.follower then async.cancel(self.follower) end
  if self.fd then system.close(self.fd) end
  self.reader, self.follower, self.fd = nil, nil, nil
  self.executor.readers[self] = nil
end

--- Wait until everything was written, or the reader went away. Suspends.
---@return true? ok, string? err, string? code
function Stream:wait()
  if not self.ended then
    local ok, word, code = async.await(function(done)
      self.wake = function() done(true) end
    end)
    self.wake = nil
    if not ok then return nil, word, code end
  end
  if self.error then return nil, self.error, "io" end
  return true
end

local RUNNING = { creating = true, starting = true, running = true, paused = true, stopping = true }

--- Tell the reader when the execution has ended: then the files are complete. With `until`
-- the task has a deadline, and the rest is not waited for.
local function follow(executor, id, reader)
  while true do
    local view = observe.look(executor.state, id)
    local signal = view and view.dir and observe.listen(view)
    local now = signal and observe.look(executor.state, id)
    local running = now and RUNNING[now.state]
    if now then now:close() end
    local ok, word = true, nil
    if running then ok, word = signal:wait() end
    if signal then signal:close() end
    if view then view:close() end
    if not running or word == "timeout" then
      reader:finish()
      return
    end
    if not ok then return end
  end
end

--- Open a stream. Works while running, after the end, and until expiry. Suspends.
--- Without `target` (a descriptor that is taken over) it goes into a pipe: stream.fd.
---@return exhost.LogStream? stream, string? err, string? code
function log.open(executor, id, options)
  local ok, why = check(options)
  if not ok then return nil, why, "invalid" end
  local view, err, code = observe.look(executor.state, id)
  if not view then return nil, err, code end
  if view.state == "absent" then
    return nil, string.format("execution (%s) not found", id), "not_found"
  end
  local stream = setmetatable({ executor = executor }, Stream)
  local target = options.target
  if not target then stream.fd, target = logread.pipe() end
  if not stream.fd and not options.target then return nil, "log pipe: " .. target, "io" end
  local dir
  dir, err = conclude.log_dir(view)
  if dir then
    local from = view.record and view.record.log_from or {}
    stream.reader, err = logread.open(dir, view.dir, {
      target = target, format = options.format, stream = options.stream,
      timestamps = options.timestamps, follow = options.follow, tail = options.tail,
      lines = options.lines, since = options.since, ["until"] = options["until"],
      from_stdout = from.stdout, from_stderr = from.stderr,
      on_end = function(done, message)
        stream.ended, stream.reader = true, nil
        stream.broken = not done and message:find("^EPIPE") ~= nil -- nobody reads any more
        stream.error = not done and not stream.broken and message or nil
        if stream.follower then async.cancel(stream.follower) end
        executor.readers[stream] = nil
        if stream.wake then stream.wake() end
      end,
    })
    if dir ~= view.dir then dir:close() end
  end
  view:close()
  if not stream.reader then
    if stream.fd then system.close(stream.fd) end
    system.close(target)
    return nil, string.format("open logs of %s: %s", id, err), "io"
  end
  executor.readers[stream] = true
  if options.follow then
    local deadline = options["until"]
      and loop.now() + options["until"] - loop.time() + INDEX_SECONDS
    stream.follower = async.spawn(follow, { deadline = deadline }, executor, view.id,
      stream.reader)
  end
  return stream
end

return log
