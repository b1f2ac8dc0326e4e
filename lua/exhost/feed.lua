--- The event feed: what happens to all executions of an executor, whichever host does it,
-- in order and numbered, as JSON lines in a pipe.
--
-- Its source is the events.jsonl of every execution. A reader that is slow loses lines and
-- is told how many: {"seq":9,"missed":3}. Nobody waits for it.

local async = require "exhost.async"
local channel = require "exhost.channel"
local events = require "exhost.events"
local json = require "exhost.json"
local logread = require "exhost.logread"
local outlet = require "exhost.outlet"
local state = require "exhost.state"
local system = require "exhost.system"
local watch = require "exhost.watch"

local feed = {}

local BUFFER, LEAST_BUFFER, MOST_BUFFER = 256 * 1024, 4096, 64 * 1024 * 1024
local MOST_READ = 1024 * 1024 -- of one file in one go

---@class exhost.Feed
local Feed = {}
Feed.__index = Feed

local function close_source(source)
  source.watch:close()
  if source.hangup then source.hangup:close() end
end

function Feed:close()
  if self.closed then return end
  self.closed = true
  if self.outlet then self.outlet:close() end
  if self.root then self.root:close() end
  for _, source in pairs(self.sources) do close_source(source) end
  self.sources, self.executor.feeds[self] = {}, nil
end

--- Tell the reader what it missed, once there is room again.
function Feed:tell_missed()
  if self.missed == 0 then return true end
  local line = json.encode { seq = self.seq, missed = self.missed }
  if not self.outlet:put(line .. "\n") then return false end
  self.missed = 0
  return true
end

function Feed:emit(id, record)
  self.seq = self.seq + 1
  record.seq, record.execution_id = self.seq, id
  local line = json.encode(record)
  if not self:tell_missed() or not line or not self.outlet:put(line .. "\n") then
    self.missed = self.missed + 1
  end
end

--- Tell what is new in a file of events.
function Feed:read(id, source, dir, name)
  local more = self.outlet ~= nil
  while more and not self.closed do
    local text = dir:read_at(name, source.offset, MOST_READ)
    local whole = text and text:match("^(.*\n)") or ""
    source.offset = source.offset + #whole
    more = text and #text == MOST_READ
    for _, record in ipairs(events.parse(whole)) do self:emit(id, record) end
  end
end

function Feed:forget(id)
  local source = self.sources[id]
  if source then close_source(source) end
  self.sources[id] = nil
end

--- Nobody may ask for its result: wait for it in their place.
function Feed:conclude(id, source)
  if source.concluding then return end
  source.concluding = true
  async.spawn(function()
    local ok, err, code = self.executor:wait(id)
    source.concluding = false
    if not ok and code ~= "not_found" then self.log("error", string.format("%s: %s", id, err)) end
  end)
end

--- See to it that somebody concludes it: when the shim has written `exit`, or is gone.
function Feed:tend(id, source, dir)
  if source.concluding or dir:stat("result.json") then return end
  if dir:stat("exit") then return self:conclude(id, source) end
  if source.hangup then return end
  local code, _
  source.hangup, _, code = channel.fifo_hangup(dir, "control", function()
    source.hangup = nil
    self:changed(id, source, "exit")
  end)
  if code ~= "ENXIO" then return end
  local record = state.read(dir) -- before *go* the shim's end is its host's business
  if record and record.phase ~= "creating" then self:conclude(id, source) end
end

--- The execution's folder, unless another one has its id by now.
function Feed:open(id, source)
  local dir, _, code = self.executor.state:open_execution(id)
  if not dir then return nil, code end
  if dir:inode() == source.inode then return dir end
  dir:close()
  return nil, "not_found"
end

--- Something happened in the folder: to the file `name`, or to any (nil), or it is gone.
function Feed:changed(id, source, name, gone)
  if self.closed or self.sources[id] ~= source then return end
  local dir, code = self:open(id, source)
  if gone or code == "not_found" then
    if dir then dir:close() end
    self:read(id, source, self.executor.state.failed, id) -- a start that was rolled back
    self:forget(id)
    return self:add(id, true)
  end
  if not dir then return end
  if name == nil or name == events.FILE then self:read(id, source, dir, events.FILE) end
  if name == nil or name == "exit" or name == "state.json" then self:tend(id, source, dir) end
  dir:close()
end

--- Begin to watch an execution, with its story so far or without. An id that was removed and
--- is used again is another execution, in another folder.
function Feed:add(id, from_start)
  if self.closed or id:sub(1, 1) == "." then return end
  local dir = self.executor.state:open_execution(id)
  if not dir then return end
  local source, inode = self.sources[id], dir:inode()
  if source and source.inode == inode then return dir:close() end
  self:forget(id)
  source = { offset = 0, inode = inode }
  local err
  source.watch, err = watch.open(dir, function(name, gone)
    self:changed(id, source, name, gone)
  end, self.outlet ~= nil)
  if source.watch then
    self.sources[id] = source
    if not from_start then
      local st = dir:stat(events.FILE)
      source.offset = st and st.size or 0
    end
    self:tend(id, source, dir)
    if from_start then self:read(id, source, dir, events.FILE) end
  elseif self.outlet then
    self:emit(id, { event = "unwatched", message = err })
  else
    self.log("error", string.format("%s: %s", id, err))
  end
  dir:close()
end

function Feed:scan(from_start)
  for _, id in ipairs(self.executor.state:ids()) do self:add(id, from_start) end
end

--- Watch all executions, those to come as well.
---@return true? ok, string? err
function Feed:begin()
  self.executor.feeds[self] = true
  local err
  self.root, err = watch.open(self.executor.state.executions, function(name)
    if name then return self:add(name, true) end
    self:scan(true) -- the kernel dropped reports
  end)
  if not self.root then
    self:close()
    return nil, "watch the state folder: " .. err
  end
  self:scan(false)
  return true
end

local function new(executor, log)
  return setmetatable({ executor = executor, sources = {}, seq = 0, missed = 0,
    log = log or function() end }, Feed)
end

--- Conclude what ends, so that nobody has to ask first; tells nobody. Until the executor is
--- closed.
---@param executor exhost.Executor
---@param log? fun(level: string, message: string) told what could not be concluded
---@return true? ok, string? err, string? code
function feed.keep(executor, log)
  local ok, err = new(executor, log):begin()
  if not ok then return nil, err, "io" end
  return true
end

--- Open a feed. Events from now on.
---@param executor exhost.Executor
---@param options { buffer: number? } bytes kept for a slow reader, beside the pipe's
---@return integer? fd the pipe's read end, the caller's, string? err, string? code
function feed.open(executor, options)
  local size = options.buffer or BUFFER
  if not (size >= LEAST_BUFFER and size <= MOST_BUFFER) then
    return nil, string.format("subscribe: buffer: expected %d to %d bytes", LEAST_BUFFER,
      MOST_BUFFER), "invalid"
  end
  local reader, writer = logread.pipe()
  if not reader then return nil, "subscribe: " .. writer, "io" end
  local self = new(executor)
  local ok, err
  self.outlet, err = outlet.open(writer, size, function(word)
    if word == "gone" then return self:close() end
    self:tell_missed()
  end)
  if not self.outlet then
    system.close(reader)
    system.close(writer)
    return nil, "subscribe: " .. err, "io"
  end
  ok, err = self:begin()
  if not ok then
    system.close(reader)
    return nil, "subscribe: " .. err, "io"
  end
  return reader
end

return feed
