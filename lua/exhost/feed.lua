--- The event feed: what happens to all executions of an executor, whichever host does it,
-- in order and numbered, as JSON lines in a pipe.
--
-- Its source is the events.jsonl of every execution. A reader that is slow loses lines and
-- is told how many: {"seq":9,"missed":3}. Nobody waits for it.

local async = require "exhost.async"
local events = require "exhost.events"
local execution = require "exhost.execution"
local json = require "exhost.json"
local logread = require "exhost.logread"
local outlet = require "exhost.outlet"
local system = require "exhost.system"
local watch = require "exhost.watch"

local feed = {}

local BUFFER, LEAST_BUFFER, MOST_BUFFER = 256 * 1024, 4096, 64 * 1024 * 1024
local MOST_READ = 1024 * 1024 -- of one file in one go

---@class exhost.Feed
local Feed = {}
Feed.__index = Feed

function Feed:close()
  if self.closed then return end
  self.closed = true
  if self.outlet then self.outlet:close() end
  if self.root then self.root:close() end
  for _, source in pairs(self.sources) do source.watch:close() end
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

--- Whole lines of a file from where we are.
local function read_new(source, dir, name)
  local text = dir:read_at(name, source.offset, MOST_READ)
  local whole = text and text:match("^(.*\n)") or ""
  source.offset = source.offset + #whole
  return events.parse(whole), text and #text == MOST_READ
end

function Feed:read(id)
  local source, store = self.sources[id], self.executor.state
  if not source or self.closed then return end
  local dir, _, code = store:open_execution(id)
  local more = self.outlet ~= nil
  while more do
    local records
    if dir then
      records, more = read_new(source, dir, events.FILE)
    else
      records, more = read_new(source, store.failed, id) -- a start that was rolled back
    end
    for _, record in ipairs(records) do self:emit(id, record) end
  end
  if dir then dir:close() end
  if not dir and code == "not_found" then self:forget(id) end
end

function Feed:forget(id)
  local source = self.sources[id]
  if source then source.watch:close() end
  self.sources[id] = nil
end

--- The shim has written `exit`: somebody has to conclude it.
function Feed:conclude(id)
  async.spawn(function() execution.dispatch(self.executor, id, "recover") end)
end

--- Begin to watch an execution, with its story so far or without.
function Feed:add(id, from_start)
  if self.sources[id] or id:sub(1, 1) == "." then return end
  local dir = self.executor.state:open_execution(id)
  if not dir then return end
  local source = { offset = 0 }
  local err
  source.watch, err = watch.open(dir, function(name)
    if name == "exit" then return self:conclude(id) end
    if name == nil or name == events.FILE then self:read(id) end
  end, self.outlet ~= nil)
  if source.watch then
    self.sources[id] = source
    if not from_start then
      local st = dir:stat(events.FILE)
      source.offset = st and st.size or 0
    end
    if dir:stat("exit") and not dir:stat("result.json") then self:conclude(id) end
  elseif self.outlet then
    self:emit(id, { event = "unwatched", message = err })
  end
  dir:close()
  if from_start then self:read(id) end
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
    for id in pairs(self.sources) do self:read(id) end
  end)
  if not self.root then
    self:close()
    return nil, "watch the state folder: " .. err
  end
  self:scan(false)
  return true
end

local function new(executor)
  return setmetatable({ executor = executor, sources = {}, seq = 0, missed = 0 }, Feed)
end

--- Conclude what ends, so that nobody has to ask first; tells nobody. Until the executor is
--- closed.
---@return true? ok, string? err, string? code
function feed.keep(executor)
  local ok, err = new(executor):begin()
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
