--- One more process inside a running execution, through whatever supervises it and speaks as
-- core/shim/execs.h says: the shim itself, or what stands between it and a machine.

local async = require "exhost.async"
local channel = require "exhost.channel"
local collect = require "exhost.collect"
local shim = require "exhost.shim"
local system = require "exhost.system"

local MAX_STATUS = 4096

--- What a running exec holds; close() gives all of it back.
local Exec = {}
Exec.__index = Exec

function Exec:close()
  for _, handle in pairs(self.handles) do handle:close() end
  for _, fd in pairs(self.targets) do system.close(fd) end
  self.handles, self.targets = {}, {}
end

--- Something happened; look again.
function Exec:ring()
  if self.wake then self.wake() end
end

function Exec:collect(name, options)
  local handle, err = collect.fifo(self.dir, name, options, function(bytes, dropped, _, why)
    self.handles[name] = nil
    self[name] = { bytes = bytes, dropped = dropped, error = why }
    self:ring()
  end)
  if not handle then return nil, err end
  self.handles[name] = handle
  self.targets[name] = nil -- it is the collector's now
  return true
end

--- Wait until fn answers something. Suspends.
function Exec:wait(fn)
  while not fn() do
    local ok, word = async.await(function(done)
      self.wake = function() done(true) end
    end)
    self.wake = nil
    if not ok then return nil, word, word end
  end
  return true
end

local function prepare(self, argv, limit)
  local ok, err = self.dir:create("argv", table.concat(argv, "\0") .. "\0")
  for _, name in ipairs { "stdout", "stderr", "status" } do
    if ok then ok, err = self.dir:mkfifo(name) end
  end
  for _, name in ipairs { "stdout", "stderr" } do
    if ok then ok, err = self:collect(name, { limit = limit, target = self.targets[name] }) end
  end
  if ok then ok, err = self:collect("status", { limit = MAX_STATUS }) end
  if not ok then return nil, "prepare: " .. err, "io" end
  return true
end

--- A supervisor that dies says nothing more.
local function listen_for_the_end(self, dir, fifo)
  local handle, err, code = channel.fifo_hangup(dir, fifo, function()
    self.handles.supervisor = nil
    self.gone = true
    self:ring()
  end)
  if not handle then
    if code == "ENXIO" then return nil, "it is not running", "already_completed" end
    return nil, err, "io"
  end
  self.handles.supervisor = handle
  return true
end

local STEPS = { too_many = "too many at once", argv = "read the command",
  output = "open its output", guest = "reach the guest" }

local function failure(argv, text)
  local errno, step = text:match("error (%d+) ?(%S*)")
  if not errno then return nil end
  if step == "phase" then return "it is not running", "already_completed" end
  if step == "unheard" then
    return "its supervisor has no way to ask for a process there", "unsupported"
  end
  local why, name = system.error_text(tonumber(errno))
  local what = step == "exec" and "execute " .. argv[1] or STEPS[step] or step
  return what .. ": " .. why, "engine", { errno = tonumber(errno), name = name, step = step,
    path = step == "exec" and argv[1] or nil }
end

--- Wait for the process, then for its output: what it left behind may hold the pipes on.
local function finish(self, argv, pipe_grace)
  local ok, err, code = self:wait(function() return self.status or self.gone end)
  if not ok then return nil, err, code end
  local text = self.status and self.status.bytes or ""
  local message, kind, data = failure(argv, text)
  if message then return nil, message, kind, data end
  local word, number = text:match("\n(%l+) (%d+)\n$")
  if not word then return nil, "the execution ended", "already_completed" end
  async.with_deadline(pipe_grace, self.wait, self, function()
    return self.stdout and self.stderr
  end)
  for _, name in ipairs { "stdout", "stderr" } do
    if self.handles[name] then self.handles[name]:finish() end
  end
  number = tonumber(number)
  local result = { exit_code = word == "signal" and 128 + number or number,
    signal = word == "signal" and number or nil, truncated = {} }
  for _, name in ipairs { "stdout", "stderr" } do
    local stream = self[name]
    result[name], result.truncated[name] = stream.bytes, stream.dropped > 0
    result.broken = result.broken or stream.error == "EPIPE"
  end
  return result
end

local function run(self, where, name, argv, settings)
  local ok, err, code = prepare(self, argv, settings.output_limit)
  if ok then ok, err, code = listen_for_the_end(self, where.dir, where.fifo) end
  if ok then ok, err, code = shim.control(where.dir, "exec " .. name, where.fifo) end
  if not ok then return nil, err, code == "not_found" and "already_completed" or code end
  return finish(self, argv, settings.pipe_grace)
end

local execs = {}

--- Run argv and wait for its end. Suspends; when the caller is interrupted it is killed.
---@param where { dir: exhost.dir, fifo: string } the folder that the supervisor works in, and the
--- name of the FIFO there that it listens to
---@param argv string[]
---@param options { targets: { stdout: integer, stderr: integer }? } descriptors taken over,
--- for output that is not to be kept in memory
---@param settings table output_limit, pipe_grace
---@return table? result exit_code, signal, stdout, stderr, truncated{stdout, stderr}
---@return string? err, string? code, table? data
function execs.run(where, argv, options, settings)
  local name = "exec-" .. system.random_hex(8)
  local ok, err = where.dir:mkdir(name)
  local dir = ok and where.dir:open(name)
  if not dir then return nil, "exec: " .. tostring(err), "io" end
  local self = setmetatable({ dir = dir, handles = {}, targets = options.targets or {} }, Exec)
  local result, why, code, data = run(self, where, name, argv, settings)
  self:close()
  dir:close()
  where.dir:remove_tree(name)
  return result, why, code, data
end

return execs
