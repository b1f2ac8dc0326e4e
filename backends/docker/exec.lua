--- A command inside a running container: exec create, start, inspect.

local async = require "exhost.async"
local collect = require "exhost.collect"
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

--- Where the output goes: a pipe for each stream, whose reader keeps its end or passes all on.
local Output = {}
Output.__index = Output

local function open_output(options, limit)
  local self = setmetatable({ handles = {}, result = { truncated = {} } }, Output)
  for _, name in ipairs { "stdout", "stderr" } do
    local target = (options.targets or {})[name]
    local handle, fd = collect.pipe({ limit = limit, target = target },
      function(bytes, dropped, _, _, code)
        self.handles[name] = nil
        self.result[name], self.result.truncated[name] = bytes, dropped > 0
        self.broken = self.broken or code == "EPIPE"
        if self.wake then self.wake(true) end
      end)
    if not handle then
      self:close()
      return nil, "exec: open a pipe: " .. fd, "io"
    end
    self.handles[name], self[name] = handle, fd
  end
  return self
end

--- Wait until all of it was read; what was written before the stream's end is in the pipes.
--- Suspends.
function Output:finish()
  while next(self.handles) do
    local ok, word = async.await(function(done) self.wake = done end)
    self.wake = nil
    if not ok then return nil, word, word end
  end
  return self.result
end

function Output:close()
  for _, handle in pairs(self.handles) do handle:close() end
  self.handles = {}
end

--- From the start of the command to its end. Suspends.
local function follow(api, id, output, stdin)
  local ok, err, code, data = api:stream("/exec/" .. id .. "/start", {
    body = { Detach = false, Tty = false },
    stdin = stdin, stdout = output.stdout, stderr = output.stderr })
  if not ok and not output.broken then return nil, err, code, data end
  return output:finish()
end

--- Run argv and wait. Suspends. When the caller is interrupted, or nobody reads the output any
--- more, the command is killed; where that cannot be, the error says that it goes on.
---@param options { targets: table?, stdin: integer? } as Executor:exec
---@return table? result, string? err, string? code, table? data
return function(api, execution, argv, options, limit)
  local created, err, code, data = api:call("POST", containers.path(execution) .. "/exec",
    { body = { AttachStdin = options.stdin ~= nil, AttachStdout = true, AttachStderr = true,
      Cmd = json.array(argv) } })
  local output
  if created then output, err, code = open_output(options, limit) end
  if not output then
    if options.stdin then system.close(options.stdin) end
    return nil, err, code, data
  end
  local result
  result, err, code, data = follow(api, created.Id, output, options.stdin)
  output:close()
  if output.broken or code == "timeout" or code == "cancelled" then
    local ended, why = async.shield(END_SECONDS, finish, api, execution, created.Id)
    if not ended then
      err = string.format("%s; the command goes on in its container: %s",
        err or "nobody reads its output", tostring(why))
      return nil, err, code or "io"
    end
  end
  if not result then return nil, err, code, data end
  result.broken = output.broken
  result.exit_code, err, code = exit_code(api, created.Id)
  if not result.exit_code then return nil, err, code end
  return result
end
