--- How far the download of an image is, while a command starts an execution that waits for it: a
--- bar on a terminal, lines elsewhere, on stderr.

local async = require "exhost.async"
local events = require "exhost.events"
local system = require "exhost.system"
local text = require "exhost.text"
local units = require "exhost.units"

local LOOK_SECONDS, MOST_READ = 0.1, 64 * 1024
local BAR, CLEAR = 30, "\r\27[K"

local function amount(event)
  if event.total <= 0 then return "" end
  return string.format(", %s of %s", units.format_size(event.current),
    units.format_size(event.total))
end

local function bar(event)
  local full = event.total > 0 and math.floor(BAR * math.min(1, event.current / event.total)) or 0
  return string.format("%spull [%s%s] %s%s", CLEAR, ("#"):rep(full), (" "):rep(BAR - full),
    event.status, amount(event))
end

---@class exhost.Progress
local Progress = {}
Progress.__index = Progress

function Progress:clear()
  if self.drawn then system.write(2, CLEAR) end
  self.drawn = false
end

--- Show one event of a pull.
function Progress:show(event)
  event.status = text.clean(tostring(event.status)):gsub("%c", " ")
  event.current, event.total = tonumber(event.current) or 0, tonumber(event.total) or 0
  if event.digest then
    self:clear()
    self.ctx:error("pulled " .. text.clean(tostring(event.digest)))
  elseif self.terminal then
    system.write(2, bar(event))
    self.drawn = true
  else
    self.ctx:error("pull: " .. event.status .. amount(event))
  end
end

--- Show what has come since the last look.
function Progress:look()
  if not self.dir then self.dir = self.ex.state:open_execution(self.id) or nil end
  local bytes = self.dir and self.dir:read_at(events.FILE, self.at, MOST_READ) or ""
  local whole = bytes:match("^.*\n") or ""
  self.at = self.at + #whole
  for _, event in ipairs(events.parse(whole)) do
    if event.event == "pull" then self:show(event) end
  end
end

--- Nothing more is shown; a bar that was left is gone.
function Progress:stop()
  async.cancel(self.task)
  self:look()
  self:clear()
  if self.dir then self.dir:close() end
end

--- Begin. With --json nothing is shown, nor of an execution that is there already.
---@param ctx exhost.Context
---@param ex exhost.Executor
---@param id string of the execution, which need not be there yet
---@return { stop: fun(self) }
return function(ctx, ex, id)
  local before = ex.state:open_execution(id)
  if before then before:close() end
  if before or ctx.json then return { stop = function() end } end
  local self = setmetatable({ ctx = ctx, ex = ex, id = id, at = 0,
    terminal = system.terminal(2) }, Progress)
  self.task = async.spawn(function()
    while async.sleep(LOOK_SECONDS) do self:look() end
  end)
  return self
end
