--- Hosts in processes of their own (host.lua), told what to do and watched.

local files = require "crash.files"
local json = require "exhost.json"
local logread = require "exhost.logread"
local process = require "exhost.process_core"
local processes = require "crash.processes"
local system = require "exhost.system"

local EXHOST = assert(system.real_path("/proc/self/exe"))
-- Sanitizers need their options; nothing else of ours is passed on.
local KEPT = { "PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" }

local hosts = {}

---@class crash.Host
local Host = {}
Host.__index = Host

local function environment()
  local env = {}
  for _, name in ipairs(KEPT) do
    local value = os.getenv(name)
    if value then env[#env + 1] = name .. "=" .. value end
  end
  return env
end

--- Start a host and let it do its verbs.
---@param config table see host.lua
---@return crash.Host
function hosts.start(config)
  local reader, writer = assert(logread.pipe())
  local self = setmetatable({ fd = reader, text = "" }, Host)
  self.process = assert(process.spawn {
    file = EXHOST, argv = { "exhost", "lua", "spec/crash/host.lua", assert(json.encode(config)) },
    fds = { [1] = writer, [2] = writer }, env = environment(),
    on_exit = function(status, signal) self.status, self.signalled = status, signal end,
  })
  system.close(writer)
  return self
end

--- Let an executor believe that this machine has no control groups.
function hosts.forget_cgroups(ex)
  local backend = assert(ex:backend("process"))
  backend.groups.version, backend.groups.parents = 0, {}
end

function Host:_read()
  while self.fd do
    local bytes = system.read_some(self.fd)
    if bytes == "" then
      system.close(self.fd)
      self.fd = nil
    elseif bytes then
      self.text = self.text .. bytes
    else
      return
    end
  end
end

--- What the host told of this: the rest of the first line that begins with `word`.
function Host:told(word)
  self:_read()
  return ("\n" .. self.text):match("\n" .. word:gsub("%p", "%%%0") .. " ?([^\n]*)\n")
end

--- Wait until the host has told of this. Suspends.
function Host:expect(word)
  files.eventually(function() return self:told(word) or self.status end)
  return assert(self:told(word), "the host did not come to " .. word .. ", but told:\n"
    .. self.text)
end

--- Wait until the host has stopped at a step: one that only says so could still be on its
--- way, and overlook that it may go on. Suspends.
function Host:await_step(name)
  self:expect("at " .. name)
  local pid = self.process:pid()
  assert(files.eventually(function() return processes.is_stopped(pid) end), "it does not stop")
end

function Host:signal(number)
  return self.process:signal(number)
end

--- Kill it and wait for its end. Suspends.
function Host:kill()
  self.process:signal(processes.KILL)
  return self:wait()
end

--- Wait for its end. Suspends.
function Host:wait()
  files.eventually(function() return self.status end, 20)
  local ended = self.status ~= nil
  if not ended then
    self.process:signal(processes.KILL)
    files.eventually(function() return self.status end)
  end
  self:_read()
  if self.fd then system.close(self.fd) end
  self.fd = nil
  self.process:release()
  if not ended then error("the host did not end, but told:\n" .. self.text, 0) end
  return self.status
end

return hosts
