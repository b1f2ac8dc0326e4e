--- Backend `podman`: containers by the command `podman`, without its service. `podman start` is
--- the supervisor's child: its output is the job's, signals go through it, and it exits as the job
--- did. What it cannot do it does not name. An example: backends/README.md has the contract.
local capture = require "exhost.capture"
local json = require "exhost.json"
local loop = require "exhost.loop"
local shim = require "exhost.shim"

local Podman = {}
Podman.__index = Podman
local VARIABLES = { "PATH", "HOME", "XDG_RUNTIME_DIR", "CONTAINERS_CONF",
  "CONTAINERS_STORAGE_CONF" }
local NEVER = { "inputs", "outputs", "keys", "ports_to_bind", "provision_scripts" }
local WORD = { type = "string", no_nul = true }

local function open(config)
  local environment = {}
  for _, name in ipairs(VARIABLES) do
    local value = os.getenv(name)
    if value then environment[#environment + 1] = name .. "=" .. value end
  end
  return setmetatable({ settings = config.settings, executor = config.executor,
    environment = environment }, Podman)
end

--- Run podman to its end; what it says is the error. Suspends.
local function podman(self, ...)
  local ok, err, said = capture.run({ "/usr/bin/podman", ... },
    { seconds = 60, env = self.environment, errors = true })
  if ok then return ok end
  return nil, said and said:match("[^\n]+") or err, "engine"
end

local function unsupported(field)
  return nil, field .. ": not supported by the podman executor", "unsupported"
end

function Podman:plan(request)
  local asked, resources = request.engine_spec.params, request.resources or {}
  for _, field in ipairs(NEVER) do
    if next(request[field] or {}) then return unsupported(field) end
  end
  if next(resources.gpus or {}) then return unsupported("resources.gpus") end
  local name = "exhost-" .. self.executor .. "-" .. request.execution_id
  local argv = json.array { "create", "--name", name, "--label", "exhost=" .. self.executor,
    "--network", "none", "--cap-drop", "all", "--security-opt", "no-new-privileges",
    "--log-driver", "none", "--entrypoint", json.encode(json.array(asked.cmd)) }
  if resources.cpu then argv[#argv + 1] = "--cpus=" .. resources.cpu.cores end
  if resources.ram then argv[#argv + 1] = string.format("--memory=%.0fb", resources.ram.size) end
  return { name = name, argv = argv, image = asked.image, environment = asked.environment,
    timeout = request.timeout, stop_signal = request.stop_signal, stop_grace = request.stop_grace }
end

function Podman:check() return true end -- nothing of what a ceiling is about can be asked for

--- `init` makes the container's process without starting it: a command that is not there fails
--- here. What the plan masks, the variables, is said now.
function Podman:create(execution)
  local body, words = execution.plan, {}
  for i, word in ipairs(body.argv) do words[i] = word end
  for _, entry in ipairs(body.environment) do words[#words + 1] = "--env=" .. entry end
  words[#words + 1] = body.image
  local ok, err, code = podman(self, unpack(words))
  if not ok then return nil, err, code end -- a name that somebody else has is left alone
  ok, err, code = podman(self, "init", body.name)
  if ok then return body.name end
  self:remove(body.name)
  return nil, err, code
end

function Podman:source(execution)
  local body, items = execution.plan, {}
  local function add(key, value)
    if value ~= nil then items[#items + 1] = { key, value } end
  end
  for _, word in ipairs { "/usr/bin/podman", "start", "--attach", "--sig-proxy", body.name } do
    add("argv", word)
  end
  for _, entry in ipairs(self.environment) do add("env", entry) end
  add("env", "EXHOST_EXECUTION=" .. execution.id)
  if body.timeout then add("deadline", loop.boottime(body.timeout)) end
  add("stop_signal", body.stop_signal)
  add("grace_ms", (body.stop_grace or self.settings.stop_grace) * 1000)
  add("log_limit", self.settings.log_limit)
  return items
end

--- The signal to the job itself: `podman start` may not yet pass it on. The supervisor keeps the
--- grace, by the one signal that its child ignores.
function Podman:stop(execution, signal, grace)
  podman(self, "kill", "--signal", tostring(signal or 15), execution.handle)
  return shim.control(execution.dir, string.format("stop 28 %.0f cancel", grace * 1000))
end

--- Whatever ended `podman start`, the container ends with it.
function Podman:conclude(execution)
  local ok, err, code = self:remove(execution.plan.name)
  return ok and {}, err, code
end

function Podman:remove(name)
  return podman(self, "rm", "--force", "--ignore", "--time", "0", name) and true
end

function Podman:list()
  local text, err, code = podman(self, "ps", "--all", "--filter", "label=exhost=" .. self.executor,
    "--format", "{{.Names}}")
  if not text then return nil, err, code end
  local list, prefix = {}, #("exhost-" .. self.executor .. "-")
  for name in text:gmatch("%S+") do
    list[#list + 1] = { handle = name, execution = name:sub(prefix + 1) }
  end
  return list
end

return { name = "podman", capabilities = {}, environment = VARIABLES, open = open,
  plan = Podman.plan, check = Podman.check, create = Podman.create, source = Podman.source,
  stop = Podman.stop, conclude = Podman.conclude, remove = Podman.remove, list = Podman.list,
  params = { type = "record", fields = {
    image = { type = "string", required = true, no_nul = true, doc = "an image that is there" },
    cmd = { type = "list", of = WORD, required = true, doc = "the command line" },
    environment = { type = "list", of = WORD, default = json.array {}, doc = "KEY=VALUE" } } } }
