--- What a host that serves does for commands: planning and starting, so that the policies and
--- settings that it holds decide, and one pull serves all who wait for an image. What reads or
--- changes an execution that is there needs no host: every command does that in the folder,
--- under its own name (events tell who) and with its own descriptors.
--
-- A command does the work itself where no host serves or it does not answer, where it is of
-- another version, where the command says what its host is to be (--no-serve, --config,
-- --lua-path), where it would be another job (a variable that tells the backend of its engine;
-- the limit of open files, where jobs inherit it), and with bytes that JSON cannot carry.

local async = require "exhost.async"
local build = require "exhost.build"
local client = require "exhost.client"
local fs = require "exhost.fs"
local json = require "exhost.json"
local progress = require "exhost.cli.progress"
local system = require "exhost.system"
local text = require "exhost.text"

local served = {}

local GREETING_SECONDS = 1
local ROLLBACK_SECONDS = 60 -- of a start that is interrupted

--- The backend that a request names; nil where it cannot be loaded, which is told where the
--- work is done.
local function backend_of(asked, lua_path)
  local kind = asked.engine_spec.type
  local name = type(kind) == "string" and kind:lower():match("^%s*(.-)%s*$")
  return (require("exhost.backend").load(name, lua_path))
end

local function can_travel(value)
  if type(value) == "string" then return text.valid(value) end
  if type(value) ~= "table" then return true end
  for key, item in pairs(value) do
    if not can_travel(key) or not can_travel(item) then return false end
  end
  return true
end

--- Whether the host would do as this command. Suspends.
local function is_alike(host, backend)
  local names = backend.environment or {}
  local told = async.with_deadline(GREETING_SECONDS, host.call, host, "id",
    { variables = json.array(names) })
  if type(told) ~= "table" or told.version ~= build.version
    or backend.inherits_limits and told.open_files ~= fs.open_files() then
    return false
  end
  for _, name in ipairs(names) do
    if told.environment[name] ~= os.getenv(name) then return false end
  end
  return true
end

--- Whether a command line says what its host is to be.
---@param options table
function served.is_own(options)
  return options.no_serve or options.config ~= nil or options.lua_path ~= nil
end

--- The host that is to do the work; nil: do it here. Suspends.
---@return exhost.Client?
local function host_for(ex, options, asked)
  if served.is_own(options) then return nil end
  local host = client.open(ex.state.dir)
  if not host then return nil end
  local backend = can_travel(asked) and backend_of(asked, ex.lua_path)
  if backend and is_alike(host, backend) then return host end
  host:close()
  return nil
end

--- What `start` would do: executor:plan, by the host that serves if one does. Suspends.
---@param ex exhost.Executor
---@param options table of the command line
---@param asked table request
---@return table? plan, string? err, string? code, table? data
function served.plan(ex, options, asked)
  local host = host_for(ex, options, asked)
  if not host then return ex:plan(asked) end
  local plan, err, code, data = host:call("plan", { request = asked })
  local gone = host.gone
  host:close()
  if not plan and gone then return ex:plan(asked) end
  return plan, err, code, data
end

--- A name for an execution that has none: who asks has to know it to look for it.
---@return any id
local function name_it(asked)
  local id = asked.execution_id or asked.ExecutionID or asked.job_id or asked.JobID
  if id then return id end
  asked.job_id = "x" .. system.random_hex(6)
  asked.execution_id = asked.job_id
  return asked.execution_id
end

local function perform(ex, options, asked, id)
  local host = host_for(ex, options, asked)
  if not host then return ex:start(asked) end
  local value, err, code, data = host:call("start", { request = asked },
    { settle = ROLLBACK_SECONDS })
  local gone = host.gone
  host:close()
  if value then return value.id end
  if not gone then return nil, err, code, data end
  local started, why, kind, more = ex:start(asked)
  if kind == "already_started" or kind == "already_completed" then return id end
  return started, why, kind, more
end

--- executor:start, by the host that serves if one does, with its progress on stderr. A host that
--- dies in it is no loss: what it had not run is rolled back and started here, what runs is taken.
--- Suspends.
---@param ctx exhost.Context
---@return string? id, string? err, string? code, table? data
function served.start(ctx, ex, options, asked)
  local id = name_it(asked)
  local shown = progress(ctx, ex, id)
  local started, err, code, data = perform(ex, options, asked, id)
  shown:stop()
  return started, err, code, data
end

return served
