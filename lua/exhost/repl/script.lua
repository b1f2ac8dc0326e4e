--- A prompt without a terminal: what comes in on a descriptor is run as if it were typed, up to
--- the first error.

local async = require "exhost.async"
local lines = require "exhost.lines"
local loop = require "exhost.loop"
local session = require "exhost.repl.session"
local system = require "exhost.system"

local MOST = 16 * 1024 * 1024

--- A function that answers the next line, or nil at the end. It suspends.
local function reader_of(fd)
  local queue, first, last, ended, wake, failure = {}, 1, 0, false, nil, nil
  local function take(line, why)
    if line then
      last = last + 1
      queue[last] = line
    else
      ended, failure = true, why
    end
    if wake then wake(true) end
  end
  local own = system.dup(fd)
  local reader, err, code = lines.open(own, MOST, take)
  if not reader and code == "EPERM" then -- a regular file: it never makes anybody wait
    local text
    text, err = system.read_all(own, MOST)
    for line in ((text or "") .. "\n"):gmatch("([^\n]*)\n") do take(line) end
    ended, failure = true, not text and err or nil
    system.close(own)
  elseif not reader then
    system.close(own)
    ended, failure = true, err
  end
  local function next_line()
    while first > last and not ended do
      local ok = async.await(function(done) wake = done end)
      wake = nil
      if not ok then
        if reader then reader:close() end
        return nil, "interrupted"
      end
    end
    local line = queue[first]
    queue[first] = nil
    first = first + 1
    return line, line == nil and failure or nil
  end
  return next_line
end

--- Run what comes in. Suspends.
---@param target exhost.Target
---@param fd integer
---@return true? ok, string? err
return function(target, fd)
  local task, text = nil, nil
  loop.on_interrupt(function()
    target.interrupt()
    async.cancel(task)
  end)
  task = async.spawn(function()
    local next_line = reader_of(fd)
    while true do
      local line, why = next_line()
      if why then return nil, why end
      if line then text = text and text .. "\n" .. line or line end
      if text and (not line or not session.incomplete(text)) then
        local ok, err = target.eval(text)
        text = nil
        if not ok then return nil, err end
      end
      if not line then return true end
    end
  end)
  return async.join(task)
end
