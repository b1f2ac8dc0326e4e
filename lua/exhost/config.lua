--- Settings and their defaults, in one table, with the request's schema engine.

local schema = require "exhost.schema"

local config = {}

local MIB = 1024 * 1024

config.SCHEMA = { type = "record", fields = {
  retention = { type = "duration", default = 24 * 3600,
    doc = "how long a result and its logs are kept after the end" },
  log_limit = { type = "size", default = 1024 * MIB,
    doc = "bytes of each log file; what comes after is counted and dropped; 0: no limit" },
  output_limit = { type = "size", default = MIB,
    doc = "bytes of each stream that a result gives back (its last ones)" },
  stop_grace = { type = "duration", default = 10, doc = "between the stop signal and KILL" },
  pipe_grace = { type = "duration", default = 2,
    doc = "for output of grandchildren after the main process ended; renewed by data" },
  pipe_grace_max = { type = "duration", default = 10, doc = "the same, in all" },
  events_limit = { type = "size", default = 256 * 1024, doc = "bytes of an execution's events" },
  enforce = { type = "enum", values = { "warn", "strict" }, default = "warn",
    doc = "what to do with a limit that cannot be enforced here" },
  durability = { type = "enum", values = { "result", "full" }, default = "result",
    doc = "what is synced to disk: only results, or every state" },
  image_pull = { type = "enum", values = { "never", "missing", "always" }, default = "missing",
    doc = "when an engine fetches an image" },
  ceiling = { type = "map", of = { type = "any" }, default = function() return {} end,
    doc = "what a job may be given at most, by each backend" },
  policy_soft = { type = "duration", default = 0.05, doc = "a policy's soft limit" },
  policy_hard = { type = "duration", default = 0.25, doc = "a policy's hard limit" },
  serve = { type = "boolean", default = false, doc = "listen on the executor's socket" },
  attach = { type = "boolean", default = false, doc = "let a REPL attach" },
} }

--- Fill in defaults and check.
---@param settings table?
---@return table? settings, string? err, string? code
function config.check(settings)
  local checked, err, code = schema.check(config.SCHEMA, settings or {}, { path = "" })
  if not checked then return nil, "settings: " .. err, code end
  return checked
end

local INSTRUCTIONS = 1000000

--- Read a settings file: a Lua table, evaluated with no library at all.
---@param text string such as 'return { retention = "2h" }'
---@param name string for messages
---@return table? settings, string? err, string? code
function config.load(text, name)
  if text:byte(1) == 27 then return nil, name .. ": compiled Lua is not loaded", "invalid" end
  local chunk, err = loadstring(text, "@" .. name)
  if not chunk then return nil, "settings: " .. err, "invalid" end
  setfenv(chunk, {})
  jit.off(chunk, true) -- a hook is never called in compiled code
  local co = coroutine.create(chunk)
  debug.sethook(co, function() error("runs for too long: it should only return a table", 0) end, "",
    INSTRUCTIONS)
  local ok, value = coroutine.resume(co)
  if not ok then return nil, string.format("settings: %s: %s", name, tostring(value)), "invalid" end
  if type(value) ~= "table" then
    return nil, string.format("settings: %s: expected it to return a table", name), "invalid"
  end
  return config.check(value)
end

return config
