--- A command inside a running container: exec create, start, inspect.

local async = require "exhost.async"
local containers = require "backends.docker.containers"
local json = require "exhost.json"
local system = require "exhost.system"

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

--- Run argv and wait. Suspends. When the caller is interrupted the engine lets the command
--- go on, as it has no call that ends it; it ends with its container.
---@return table? result, string? err, string? code, table? data
return function(api, execution, argv, options, limit)
  local created, err, code, data = api:call("POST", containers.path(execution) .. "/exec",
    { body = { AttachStdout = true, AttachStderr = true, Cmd = json.array(argv) } })
  if not created then return nil, err, code, data end
  local answer
  answer, err, code, data = api:call("POST", "/exec/" .. created.Id .. "/start",
    { body = { Detach = false, Tty = false }, frames = true, limit = limit, timeout = math.huge })
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
