--- The command on a state folder of its own.

local command = require "support.command"
local json = require "exhost.json"
local scratch = require "support.scratch"

local cli = {}

---@class spec.Cli
local Cli = {}
Cli.__index = Cli

local function words_of(self, words)
  local argv = { "exhost" }
  for _, word in ipairs(words) do argv[#argv + 1] = word end
  self.env.EXHOST_STATE_DIR = self.path .. "/state"
  return argv
end

--- Start `exhost WORDS…`.
function Cli:start(words, options)
  options = options or {}
  options.env = self.env
  return command.start(command.program, words_of(self, words), options)
end

--- Run it to its end: { code, signal, out, err }. Suspends.
function Cli:run(words, options)
  return self:start(words, options):wait()
end

--- Run it with --json; answers the value, or nil and the error, and the exit status.
function Cli:json(words, options)
  local list = { "--json", unpack(words) }
  local ran = self:run(list, options)
  local failure = ran.err ~= "" and json.decode(ran.err) or nil
  return json.decode(ran.out), failure and failure.error, ran.code, ran
end

--- A shell script in which $exhost is the command. Suspends.
function Cli:sh(script)
  words_of(self, {})
  local env = { D = self.path }
  for name, value in pairs(self.env) do env[name] = value end
  return command.sh(script, { env = env })
end

--- The command on the state in a folder, with an environment.
---@param path string
---@param env table<string, string>
function cli.at(path, env)
  env.HOME = path
  return setmetatable({ path = path, env = env, hosts = {} }, Cli)
end

--- Start a host that serves the command's folder; it is ended with the spec. Suspends.
---@param option string?
---@return spec.Running
function Cli:serve(option)
  local host = self:start({ "serve", option }, { limit = 300 })
  self.hosts[#self.hosts + 1] = host
  host:wait_until("a host that serves", function()
    return host:stderr():find("serving executor", 1, true)
  end)
  return host
end

--- A spec's body, given a command on a fresh folder. What it leaves is cleaned up. While
--- `cli.served` is set when it is made, a host serves the folder meanwhile.
function cli.with(body)
  local served = cli.served
  return scratch.with(function(dir, path)
    local self = cli.at(path, {})
    self.dir = dir
    if served then self:serve() end
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, self)
    self:run { "cleanup" }
    for _, host in ipairs(self.hosts) do
      if not host.ended then
        host:signal(18) -- CONT: a spec may have stopped it
        host:signal(15)
        host:wait()
      end
    end
    if not ok then error(err, 0) end
  end)
end

return cli
