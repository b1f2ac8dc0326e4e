--- Settings: one table, checked by the request's schema engine. A settings file is Lua data,
--- evaluated without any library.
local ceiling = require "exhost.config.ceiling"
local schema = require "exhost.schema"
local text = require "exhost.text"
local typed = require "exhost.typed"

local config = {}

local KIB, MIB, GIB = 1024, 1024 ^ 2, 1024 ^ 3
local MAX_SECONDS = 1e9            -- three decades
local MAX_INSTRUCTIONS = 1e6
local BYTECODE = 27

local function duration(default, doc)
  return { type = "duration", default = default, max = MAX_SECONDS, doc = doc }
end

local function size(default, doc)
  return { type = "size", default = default, doc = doc }
end

local function one_of(values, default, doc)
  return { type = "enum", values = values, default = default, doc = doc }
end

local function flag(doc)
  return { type = "boolean", default = false, doc = doc }
end

local function folder(value)
  if value:sub(1, 1) == "/" then return (value:gsub("(.)/+$", "%1")) end
  return nil, "expected an absolute path, got " .. text.quote(value)
end

local function root(doc)
  return { type = "string", absent = "", no_nul = true, check = folder, doc = doc }
end

--- The shape of a backend's own settings is that backend's to check.
local function table_of_settings(value)
  if type(value) == "table" then return value end
  return nil, "expected a table of settings, got " .. tostring(value)
end

local function ordered(settings)
  if settings.pipe_grace > settings.pipe_grace_max then
    return nil, "pipe_grace is above pipe_grace_max"
  end
  if settings.policy_soft > settings.policy_hard then
    return nil, "policy_soft is above policy_hard"
  end
  return settings
end

config.SCHEMA = {
  type = "record",
  default = {},
  check = ordered,
  fields = {
    retention = duration(24 * 3600, "how long a result and its logs are kept after the end"),
    log_limit = size(GIB, "the most bytes of a log file; the rest is counted"),
    output_limit = size(MIB, "the most bytes of a stream that a result returns"),
    stop_grace = duration(10, "from the stop signal to SIGKILL"),
    pipe_grace = duration(2, "how long output may stay open after the exit, renewed by data"),
    pipe_grace_max = duration(10, "and at most"),
    events_limit = size(256 * KIB, "the most bytes of an execution's events"),
    enforce = one_of({ "warn", "strict" }, "warn", "what a limit that cannot be enforced does"),
    durability = one_of({ "result", "full" }, "result",
      "what is synced to the disk before an answer: the result, or all but the story"),
    image_pull = one_of({ "never", "missing", "always" }, "missing", "when images are pulled"),
    backends = { type = "map", of = { type = "any", check = table_of_settings },
      doc = "what is a backend's own, by its name" },
    ceiling = ceiling,
    gpu_sharing = flag "a GPU may be given to several executions",
    prefer_cdi = flag "GPUs by CDI where the engine lists them",
    inventory = { type = "record", doc = "other roots for the inventory of GPUs", fields = {
      sys = root "in place of /sys", proc = root "what /proc is below", dev = root "of /dev",
      etc = root "of /etc", cdi = { type = "list", of = root(), doc = "folders of CDI specs" },
    } },
    policy_soft = duration(0.05, "the time of a policy, after which it is interrupted"),
    policy_hard = duration(0.25, "and after which it is killed"),
    serve = flag "an embedded host listens for commands too, as `exhost serve` does",
    attach = flag "listen for a REPL on a second socket",
  },
}

--- Check settings and fill in the defaults.
---@param settings table?
---@return exhost.Settings? settings, string? err, string? code
function config.check(settings)
  local checked, err, code = schema.check(config.SCHEMA, settings)
  if checked == nil then return nil, err, code end
  return checked
end

--- Run a chunk that must end soon and has no library, not even the methods of strings. (Hooks do
--- not fire in code that a JIT compiled; the host has none.)
---@return boolean ok, any value
local function run_limited(chunk)
  local hook, mask, count = debug.gethook()
  local strings = getmetatable("")
  local methods = strings.__index
  strings.__index = nil
  debug.sethook(function()
    error("it takes too long", 0)
  end, "", MAX_INSTRUCTIONS)
  local ok, value = pcall(chunk)
  strings.__index = methods
  if type(hook) == "function" then
    debug.sethook(hook, mask, count)
  else
    debug.sethook()
    typed.watch() -- its hook is C's, which Lua cannot put back
  end
  return ok, value
end

--- Evaluate the text of a settings file and check what it returns.
---@param source string such as `return { retention = "24h" }`
---@param name string the file, for messages
---@return exhost.Settings? settings, string? err, string? code
function config.load(source, name)
  if type(source) ~= "string" then error("config.load: expected a string", 2) end
  local function refused(why)
    return nil, string.format("settings %s: %s", name, why), "invalid"
  end
  if source:byte(1) == BYTECODE then return refused "bytecode is not settings" end
  local chunk, problem = loadstring(source, "=" .. name)
  if not chunk then return refused(problem) end
  local ok, value = run_limited(setfenv(chunk, {}))
  if not ok then return refused(tostring(value)) end
  if type(value) ~= "table" then
    local got = type(value) == "string" and text.quote(value) or type(value)
    return refused("expected the file to return a table, got " .. got)
  end
  local settings, err = config.check(value)
  if settings == nil then return refused(err) end
  return settings
end

return config
