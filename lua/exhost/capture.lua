--- Run a program of the machine, briefly, and take what it prints: no shell, no descriptor of
-- ours, no more than it is given, and it ends when its time is over.

local async = require "exhost.async"
local dirs = require "exhost.dir"
local fs = require "exhost.fs"
local process = require "exhost.process_core"

local capture = {}

local MAX_OUTPUT = 65536

--- Where a program is, in the absolute folders of $PATH.
---@param name string without a slash
---@return string? path
function capture.program(name)
  for folder in (os.getenv("PATH") or ""):gmatch("[^:]+") do
    local dir = folder:sub(1, 1) == "/" and dirs.open(folder)
    local found = dir and dir:stat(name)
    if dir then dir:close() end
    if found then return folder .. "/" .. name end
  end
  return nil
end

--- This process's own environment: what its user has set, a home, a session, a cloud's profile.
---@return string[]
function capture.environment()
  local list = {}
  for entry in (fs.read("/proc/self/environ") or ""):gmatch("%Z+") do list[#list + 1] = entry end
  return list
end

local function read(memory, max)
  local file = io.open("/proc/self/fd/" .. memory:number(), "rb")
  local text = file and file:read(max) or ""
  if file then file:close() end
  return text
end

--- Its end: status and signal, or nil and why not. Suspends.
local function run(argv, env, fds)
  local child, failure
  local status, signal = async.await(function(done)
    child, failure = process.spawn { file = argv[1], argv = argv, env = env, fds = fds,
      on_exit = done }
    if not child then return done(nil, failure) end
    return function() child:signal(9) end
  end)
  if child then child:release() end
  return status, signal
end

--- Run argv to its end. Suspends.
---@param argv string[] the first is the path of the program
---@param options { seconds: number, env: string[]?, input: string?, max: integer?,
--- errors: boolean?, fds: table<integer, integer>? } input: of its stdin; max: bytes of stdout,
--- default 64 KiB; errors: stderr is taken as well; fds: [number there] = number here, borrowed
---@return string? stdout at most so many bytes of it; nil when it failed
---@return string? err "exit status 1", "killed by signal 9", "timeout", or why it cannot run
---@return string? printed what it wrote before it failed
function capture.run(argv, options)
  local out, err = dirs.memory("stdout", "")
  if not out then return nil, err end
  local input
  if options.input then
    input, err = dirs.memory("stdin", options.input)
    if not input then
      out:close()
      return nil, err
    end
  end
  local fds = { [0] = input and input:number(), [1] = out:number(),
    [2] = options.errors and out:number() or nil }
  for there, here in pairs(options.fds or {}) do fds[there] = here end
  local status, signal = async.with_deadline(options.seconds, run, argv, options.env, fds)
  local text = read(out, options.max or MAX_OUTPUT)
  out:close()
  if input then input:close() end
  if status == 0 and signal == 0 then return text end
  if status == nil then return nil, tostring(signal), text end
  return nil, signal ~= 0 and "killed by signal " .. signal or "exit status " .. status, text
end

return capture
