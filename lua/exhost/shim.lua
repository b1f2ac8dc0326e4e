--- The host's side of exhost-shim (design.md section 5): start one, speak to it, find out
--- whether it lives. No backend's business is in here; the spec comes from `source`.

local async = require "exhost.async"
local build = require "exhost.build"
local channel = require "exhost.channel"
local dirs = require "exhost.dir"
local process = require "exhost.process_core"
local system = require "exhost.system"

local shim = {}

local PROTOCOL = "1"
local ANSWER_SECONDS = 10 -- a shim answers in milliseconds; past this it is broken
local EXIT_SECONDS = 1 -- from the end of what it says to the word of how it ended

---@class exhost.Shim
local Shim = {}
Shim.__index = Shim

--- The spec as the shim reads it: NUL-separated key=value. A list repeats its key.
---@param items { [1]: string, [2]: string|number }[] in order
---@return string
function shim.encode(items)
  local out = {}
  for i, item in ipairs(items) do
    local value = item[2]
    if type(value) == "number" then value = string.format("%.0f", value) end
    assert(not value:find("\0", 1, true), "NUL in shim spec value " .. item[1])
    out[i] = item[1] .. "=" .. value .. "\0"
  end
  return table.concat(out)
end

function Shim:_line(line)
  if line == nil then
    self.channel, self.closed = nil, true
  else
    self.lines[#self.lines + 1] = line
  end
  if self.wake then self.wake() end
end

function Shim:_exited(status, signal)
  self.ended = signal ~= 0 and string.format("killed by signal %d", signal)
    or string.format("exit status %d", status)
  if self.tell then self.tell(true) end
end

--- " (killed by signal 9)"; "" when it is not known. Suspends.
local function how(self)
  if not self.ended and self.process then
    async.with_deadline(EXIT_SECONDS, async.await, function(done) self.tell = done end)
  end
  return self.ended and " (" .. self.ended .. ")" or ""
end

local function unexpected(line)
  return line and "unexpected answer from the shim: " .. line
end

--- The next answer. Suspends.
---@return string? line, string? err, string? code
function Shim:answer()
  return async.with_deadline(ANSWER_SECONDS, function()
    if #self.lines == 0 and not self.closed then
      local ok, word = async.await(function(done)
        self.wake = function() done(true) end
      end)
      self.wake = nil
      if not ok then return nil, "shim does not answer: " .. word, word end
    end
    local line = table.remove(self.lines, 1)
    if not line then return nil, "the shim ended without an answer" .. how(self), "internal" end
    local errno, step = line:match("^error (%d+) ?(%S*)")
    if errno then return nil, step, "engine", { errno = tonumber(errno), step = step } end
    return line
  end)
end

--- Start a shim for an execution and wait until it is *ready*. Suspends. On failure
--- nothing of it is left.
---@param dir any the execution's folder
---@param log_dir any where stdout.log and stderr.log go
---@param spec string shim.encode()
---@return exhost.Shim? shim, string? err, string? code, table? data
function shim.start(dir, log_dir, spec)
  local self = setmetatable({ lines = {} }, Shim)
  local memory, err = dirs.memory("exhost-spec", spec)
  if not memory then return nil, "shim spec: " .. err, "io" end
  local other
  self.channel, other = channel.open(function(line) self:_line(line) end)
  if not self.channel then
    memory:close()
    return nil, "shim channel: " .. other, "io"
  end
  self.process, err = process.spawn {
    file = build.libexec .. "/exhost-shim",
    argv = { "exhost-shim", PROTOCOL },
    fds = { [3] = memory:number(), [4] = other, [5] = dir:fd(), [6] = log_dir:fd() },
    on_exit = function(...) self:_exited(...) end,
  }
  memory:close()
  system.close(other)
  if not self.process then
    self:close()
    return nil, "start exhost-shim: " .. err, "io"
  end
  local line, why, code, data = self:answer()
  if line ~= "ready" then
    self:close()
    return nil, unexpected(line) or why, code or "internal", data
  end
  return self
end

--- Let the workload run. Suspends. After this call it may run whatever the answer is, but
--- for an answer with data.never_ran or data.step.
---@return integer? pid, string? err, string? code, table? data
function Shim:go()
  local ok = self.channel and self.channel:send("go")
  if not ok then
    local why = "the shim ended before it was told to go" .. how(self)
    self:close()
    return nil, why, "internal", { never_ran = true }
  end
  local line, why, code, data = self:answer()
  local pid = line and line:match("^started (%d+)$")
  self:close()
  if not pid then
    return nil, unexpected(line) or why, code or "internal", data
  end
  return tonumber(pid)
end

--- Say that the workload runs, where it is not the shim that starts it: there is no answer
--- to wait for.
---@return true? ok nil: the shim is gone
function Shim:tell_go()
  local ok = self.channel and self.channel:send("go")
  self:close()
  return ok and true or nil
end

--- Hang up. A shim that was not told *go* leaves, and nothing ran.
function Shim:close()
  if self.channel then self.channel:close() end
  if self.process then self.process:release() end
  self.channel, self.process, self.closed = nil, nil, true
end

--- Send a control line to an execution's shim. Code `not_found`: the shim is gone.
---@param fifo string? the FIFO's name, where it is not the shim that listens
---@return true? ok, string? err, string? code
function shim.control(dir, line, fifo)
  local ok, err, code = dir:fifo_write(fifo or "control", line .. "\n")
  if ok then return true end
  -- EPIPE: it went between the opening and the writing.
  if code == "ENXIO" or code == "ENOENT" or code == "EPIPE" then
    return nil, "no shim listens", "not_found"
  end
  return nil, "control: " .. err, "io"
end

--- Whether a shim has the execution's control FIFO open.
---@return boolean
function shim.alive(dir)
  -- An empty line is a malformed record to nobody: an open is all that is wanted.
  local ok, _, code = dir:fifo_write("control", "")
  return ok == true or (code ~= "ENXIO" and code ~= "ENOENT")
end

return shim
