--- A command inside a running container: exec create, start, inspect.

local async = require "exhost.async"
local containers = require "backends.docker.containers"
local json = require "exhost.json"
local system = require "exhost.system"

local END_SECONDS = 5
local EXIT_SECONDS = 5 -- from the end of its output to its exit code

--- The exit code, which the engine knows a moment after the output's end.
local function exit_code(api, id)
  return async.with_deadline(EXIT_SECONDS, function()
    while true do
      local record, err, code = api:call("GET", "/exec/" .. id .. "/json")
      if not record then return nil, err, code end
      if not record.Running and type(record.ExitCode) == "number" then return record.ExitCode end
      local ok, word = async.sleep(0.01)
      if not ok then return nil, "no exit code: " .. word, word end
    end
  end)
end

--- The engine's word of the command's process, once it has begun or ended.
local function process_of(api, id)
  while true do
    local record, err = api:call("GET", "/exec/" .. id .. "/json")
    if not record then return nil, err end
    local begun = (tonumber(record.Pid) or 0) > 0
    if begun or type(record.ExitCode) == "number" then return record end
    local ok = async.sleep(0.05)
    if not ok then return nil, "it has not begun" end
  end
end

--- End a command whose caller has left. The engine has no call for it, but tells its process:
--- where engine and we are on one machine that is killed, if it is in the container.
---@return true? ok, string? why it goes on
local function finish(api, execution, id)
  if not api.engine:find("^unix:") then return nil, "the engine is on another machine" end
  local record, err = process_of(api, id)
  if not record then return nil, err end
  if not record.Running then return true end
  local ok, why, code = system.kill_in_cgroup(record.Pid, execution.record.container
    or record.ContainerID)
  if ok or code == "ESRCH" then return true end
  if code == "EXDEV" then why = "the engine's processes are not seen from here" end
  return nil, why
end

--- Run argv and wait. Suspends. When the caller is interrupted the command is killed; where that
--- cannot be, the error says that it goes on.
---@return table? result, string? err, string? code, table? data
return function(api, execution, argv, options, limit)
  local created, err, code, data = api:call("POST", containers.path(execution) .. "/exec",
    { body = { AttachStdout = true, AttachStderr = true, Cmd = json.array(argv) } })
  if not created then return nil, err, code, data end
  local answer
  answer, err, code, data = api:call("POST", "/exec/" .. created.Id .. "/start",
    { body = { Detach = false, Tty = false }, frames = true, limit = limit, timeout = math.huge })
  if not answer and (code == "timeout" or code == "cancelled") then
    local ended, why = async.shield(END_SECONDS, finish, api, execution, created.Id)
    if not ended then
      err = string.format("%s; the command goes on in its container: %s", err, tostring(why))
    end
  end
  if not answer then return nil, err, code, data end
  local exit
  exit, err, code = exit_code(api, created.Id)
  if not exit then return nil, err, code end
  local result = { exit_code = exit, stdout = answer.stdout, stderr = answer.stderr,
    truncated = answer.truncated }
  for name, fd in pairs(options.targets or {}) do
    system.write(fd, result[name])
    system.close(fd)
  end
  return result
end
