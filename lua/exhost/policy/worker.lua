--- The host's side of exhost-policy: one process a policy version, started when it is first
--- needed, killed when it does not answer in time or nobody asks for a while, and started again
-- for the next call.

local async = require "exhost.async"
local build = require "exhost.build"
local json = require "exhost.json"
local lines = require "exhost.lines"
local loop = require "exhost.loop"
local metrics = require "exhost.metrics"
local outlet = require "exhost.outlet"
local process = require "exhost.process_core"
local system = require "exhost.system"

local worker = {}

local MOST_LINE = 512 * 1024
local MOST_REQUEST = 3 * 1024 * 1024
local SIGKILL = 9
local IDLE_SECONDS = 60 -- then the process ends; the next call starts another
local LOAD_LIMITS = 10 -- loading may take so many times the hard limit: examples run then

-- What is told of a machine is the same for each policy of a decision.
local hosts = setmetatable({}, { __mode = "k" })

local function machine(host)
  local err
  if not hosts[host] then hosts[host], err = json.encode_raw(host) end
  return hosts[host], err
end

--- A question for the policy: what is told of the machine only when it has changed.
local function question(self, request, host)
  local told, err = machine(host)
  if not told then return nil, err end
  local text
  text, err = json.encode_raw(request)
  if not text then return nil, err end
  if told == self.told then return '{"request":' .. text .. "}" end
  self.told = told
  return '{"host":' .. told .. ',"request":' .. text .. "}"
end

---@class exhost.PolicyWorker
---@field retired boolean? another version has its place
---@field about table? what the policy says of itself, while its process runs
---@field last table? the same of an earlier process
---@field told string? what its process knows of the machine
local Worker = {}
Worker.__index = Worker

--- A worker for a policy; nothing is started yet.
---@param policy { name: string, source: string, modules: table<string, string> }
---@param limits { soft: number, hard: number, idle: number? } seconds
function worker.new(policy, limits)
  return setmetatable({ policy = policy, limits = limits, queue = {}, labels = {},
    idle = limits.idle or IDLE_SECONDS }, Worker)
end

--- End the process. Calls in flight fail; the next call starts another.
function Worker:close()
  if self.timer then self.timer:stop() end
  self.timer = nil
  if self.process then
    self.process:signal(SIGKILL)
    self.process:release()
  end
  if self.reader then self.reader:close() end
  if self.writer then self.writer:close() end
  self.process, self.reader, self.writer = nil, nil, nil
  self.about, self.last, self.told = nil, self.about or self.last, nil
  local wake = self.wake
  self.wake = nil
  if wake then wake(nil, "its process ended") end
end

--- Another version takes its place: end when those who ask already have their answers.
function Worker:retire()
  self.retired = true
  if not self.busy and #self.queue == 0 then self:close() end
end

--- End the process when nobody has asked for a while.
local function end_idle(self, seconds)
  self.timer = loop.timer(seconds, function()
    self.timer = nil
    local left = self.used + self.idle - loop.now()
    if left > 0 or self.busy then return end_idle(self, math.max(left, 1)) end
    self:close()
  end)
end

local function spawn(self)
  local theirs_in, ours_out = system.pipe()
  if not theirs_in then return nil, ours_out end
  local ours_in, theirs_out = system.pipe()
  if not ours_in then
    system.close(theirs_in)
    system.close(ours_out)
    return nil, theirs_out
  end
  local started, err = process.spawn {
    file = build.libexec .. "/exhost-policy",
    argv = { "exhost-policy", build.share .. "/lua/exhost/policy/driver.lua",
      string.format("%.0f", self.limits.soft * 1000) },
    fds = { [0] = theirs_in, [1] = theirs_out }, on_exit = function() end,
  }
  system.close(theirs_in)
  system.close(theirs_out)
  if not started then
    system.close(ours_in)
    system.close(ours_out)
    return nil, err
  end
  self.process = started
  self.used = loop.now()
  end_idle(self, self.idle)
  self.writer = outlet.open(ours_out, MOST_REQUEST, function() end)
  self.reader = lines.open(ours_in, MOST_LINE, function(line, why)
    if not line then
      self.reader = nil
      return self:close(why)
    end
    local wake = self.wake
    self.wake = nil
    if wake then wake(line) end
  end)
  return true
end

--- One exchange; the process answers in order. Suspends.
local function exchange(self, message, seconds)
  local ok, err = self.writer:put(message .. "\n")
  if not ok then return nil, err end
  local line, why, code = async.with_deadline(seconds, async.await, function(done)
    self.wake = done
    return function() self.wake = nil end
  end)
  if line then
    local answer, problem = json.decode(line)
    if type(answer) ~= "table" then self:close() end -- whatever follows belongs to no call
    return type(answer) == "table" and answer or nil, problem or "it answered no object"
  end
  if code == "timeout" then
    why = string.format("it was ended after %d ms (hard limit)", seconds * 1000)
  end
  self:close() -- its answer, if one comes, would be taken for the next one's
  return nil, why, code == "cancelled" and code or nil
end

local function failure(self, text, code)
  local about = self.about or self.last
  return nil, string.format("policy %s%s: %s", self.policy.name,
    about and " version " .. about.version or "", text), code or "policy"
end

local function load(self)
  if self.about then return self.about end
  local ok, err = spawn(self)
  if not ok then return failure(self, "start exhost-policy: " .. err, "io") end
  local answer, why, code = exchange(self, assert(json.encode { name = self.policy.name,
    source = self.policy.source, modules = self.policy.modules }), LOAD_LIMITS * self.limits.hard)
  if not answer then return failure(self, why, code) end
  self.printed = answer.printed
  if not answer.ok then
    self:close()
    return failure(self, answer.error)
  end
  self.about = answer.ok
  return self.about
end

local function call(self, request, host)
  local about, err, code = load(self)
  if not about then return nil, err, code end
  local message, problem = question(self, request, host)
  if not message then return failure(self, "the request for it: " .. problem, "internal") end
  if #message > MOST_REQUEST then
    self.told = nil
    return failure(self, "the request is too long for it")
  end
  local answer, why, kind = exchange(self, message, self.limits.hard)
  if not answer then return failure(self, why, kind) end
  self.printed = answer.printed
  if answer.ok then return answer.ok end
  self.told = nil -- it may have failed before it had taken that in
  if answer.spent then self:close() end
  return failure(self, answer.error)
end

--- One at a time: the process answers in order. Suspends until it is the caller's turn.
local function in_turn(self, fn, ...)
  while self.busy do
    local ok, word = async.await(function(done)
      table.insert(self.queue, done)
      return function()
        for i, other in ipairs(self.queue) do
          if other == done then table.remove(self.queue, i) end
        end
      end
    end)
    if not ok then return nil, word, word end
  end
  self.busy = true
  local value, err, code = fn(self, ...)
  self.busy, self.used = false, loop.now()
  local next_one = table.remove(self.queue, 1)
  if next_one then next_one(true) end
  if self.retired then self:retire() end
  return value, err, code
end

--- Start the process and load the policy into it, with its examples. Suspends.
---@return table? about, string? err, string? code
function Worker:load()
  if self.about and not self.busy then return self.about end
  return in_turn(self, load)
end

--- Ask the policy. Suspends.
---@return { config: table[], env: table[], refused: string? }? decision
---@return string? err, string? code "policy"
function Worker:call(request, host)
  local about = self.about or self.last
  local version = about and about.version or ""
  local labels = self.labels[version]
  if not labels then
    labels = { policy = self.policy.name, version = version }
    self.labels[version] = labels
  end
  return metrics.watch("exhost_policy", "exhost_policy_calls_total", labels, in_turn, self, call,
    request, host)
end

return worker
