--- The command, run as a child process: its streams go to files in memory, so nothing
-- that it prints is mixed with what the specs print.

local async = require "exhost.async"
local dirs = require "exhost.dir"
local loop = require "exhost.loop"
local process = require "exhost.process_core"
local system = require "exhost.system"

local command = {}

--- The program that runs these specs.
command.program = assert(system.real_path("/proc/self/exe"))

local LIMIT_SECONDS = 50
-- Sanitizers need their options; nothing else of ours is passed on.
local KEPT = { "PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" }

local function environment(own)
  local env = {}
  for _, name in ipairs(KEPT) do
    local value = not (own and own[name]) and os.getenv(name)
    if value then env[#env + 1] = name .. "=" .. value end
  end
  for name, value in pairs(own or {}) do env[#env + 1] = name .. "=" .. value end
  return env
end

local function content(fd)
  local file = assert(io.open("/proc/self/fd/" .. fd:number(), "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

---@class spec.Running
local Running = {}
Running.__index = Running

local alive = {}

--- Kill what specs that failed have left running.
function command.kill_all()
  for running in pairs(alive) do running:signal(9) end
end

--- Start a program. options: env (a map), stdin (text), fds ({[n] = number}), limit (seconds).
---@param file string
---@param argv string[] the first is its name
function command.start(file, argv, options)
  options = options or {}
  local self = setmetatable({ limit = options.limit or LIMIT_SECONDS }, Running)
  self.out, self.err = dirs.memory("stdout", ""), dirs.memory("stderr", "")
  local input = options.stdin and dirs.memory("stdin", options.stdin)
  local fds = { [0] = input and input:number(), [1] = self.out:number(),
    [2] = self.err:number() }
  for target, number in pairs(options.fds or {}) do fds[target] = number end
  self.process = assert(process.spawn {
    file = file, argv = argv, env = environment(options.env), fds = fds,
    on_exit = function(code, signal)
      self.ended = { code = code, signal = signal }
      alive[self] = nil
      if self.wake then self.wake() end
    end,
  })
  alive[self] = true
  if input then input:close() end
  return self
end

function Running:stdout() return content(self.out) end
function Running:stderr() return content(self.err) end

function Running:signal(number)
  return self.process:signal(number)
end

--- Wait until the condition holds. Suspends.
function Running:wait_until(what, condition)
  local ends = loop.now() + 20
  while not condition(self) do
    if self.ended or loop.now() > ends then
      error(string.format("waited for %s\nstdout: %s\nstderr: %s", what, self:stdout(),
        self:stderr()), 2)
    end
    async.sleep(0.005)
  end
end

--- Wait until it has written this to stdout. Suspends.
function Running:wait_for(text)
  self:wait_until(text, function() return self:stdout():find(text, 1, true) end)
end

--- Wait for its end. Suspends.
---@return { code: integer, signal: integer, out: string, err: string }
function Running:wait()
  if not self.ended then
    async.with_deadline(self.limit, async.await, function(done)
      self.wake = function() done(true) end
    end)
  end
  local ended = self.ended
  if not ended then self.process:signal(9) end
  local result = { code = ended and ended.code, signal = ended and ended.signal,
    out = self:stdout(), err = self:stderr() }
  self.process:release()
  self.out:close()
  self.err:close()
  if not ended then error("the command did not end\n" .. result.out .. result.err, 2) end
  return result
end

--- Run a program to its end. Suspends.
function command.run(file, argv, options)
  return command.start(file, argv, options):wait()
end

--- Make with a shell script what Lua alone cannot: links, modes. $D is the path; what fails
--- in it fails the spec. Answers its output. Suspends.
function command.fixture(script, path)
  local ran = command.run("/bin/sh", { "sh", "-ec", script }, { env = { D = path } })
  assert(ran.code == 0, ran.err)
  return ran.out
end

--- The third of a call's answers: the code of an error.
function command.code_of(_, _, code)
  return code
end

--- Run a shell script, in which $exhost is the command.
function command.sh(script, options)
  options = options or {}
  options.env = options.env or {}
  options.env.exhost = command.program
  return command.run("/bin/sh", { "sh", "-c", script }, options)
end

--- Start Lua text inside a host of its own: `exhost lua`. options.args: the script's words.
function command.start_lua(text, options)
  local file = dirs.memory("script", text)
  options = options or {}
  options.fds = options.fds or {}
  options.fds[9] = file:number()
  local argv = { "exhost", "lua", "/proc/self/fd/9" }
  for _, word in ipairs(options.args or {}) do argv[#argv + 1] = word end
  local running = command.start(command.program, argv, options)
  file:close()
  return running
end

--- Run Lua text to its end. Suspends.
function command.lua(text, options)
  return command.start_lua(text, options):wait()
end

return command
