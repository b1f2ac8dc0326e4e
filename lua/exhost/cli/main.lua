--- The command: global options, then one file a command in this folder.

local args = require "exhost.cli.args"
local async = require "exhost.async"
local build = require "exhost.build"
local context = require "exhost.cli.context"

local GLOBAL = {
  { "--executor", key = "executor", value = "ID", help = "executor id (default: default)" },
  { "--state-dir", key = "state_dir", value = "DIR",
    help = "state folder (default: $EXHOST_STATE_DIR, else the user's own)" },
  { "--config", key = "config", value = "FILE",
    help = "settings (default: /etc/exhost/config.lua)" },
  { "--lua-path", key = "lua_path", value = "DIRS",
    help = "more folders with backends/ and policies/" },
  { "--no-serve", key = "no_serve",
    help = "do all the work here, also where a host serves (exhost serve)" },
  { "--json", key = "json", help = "print one JSON value; errors as JSON on stderr" },
  { "-h", "--help", key = "help", help = "explain the command" },
  { "--version", key = "version", help = "print the version" },
}

local COMMANDS = {
  "run", "start", "wait", "logs", "cancel", "pause", "resume", "signal", "exec", "stats", "update",
  "ps", "top", "inspect", "why", "remove", "cleanup", "adopt", "plan", "gpus", "policy",
  "doctor", "metrics", "serve", "rpc", "repl", "lua", "conformance", "version", "help",
}
local KNOWN = {}
for _, name in ipairs(COMMANDS) do KNOWN[name] = true end

local commands = { options = GLOBAL }

--- All commands: ours, then those of backends.
---@param lua_path string?
---@return string[]
function commands.list(lua_path)
  local list = { unpack(COMMANDS) }
  for _, name in ipairs((require("exhost.backend").commands(lua_path))) do
    list[#list + 1] = name
  end
  return list
end

--- A command by its name; backends are looked at only where it is none of ours.
---@param lua_path string?
---@return table? command, string? err nil, and no err: there is none
function commands.load(name, lua_path)
  if KNOWN[name] then return require("exhost.cli." .. name) end
  local _, modules = require("exhost.backend").commands(lua_path)
  if not modules[name] then return nil end
  local ok, command = pcall(require, modules[name])
  if ok and type(command) == "table" then return command end
  return nil, ok and modules[name] .. " answers no table" or tostring(command):match("^[^\n]*")
end

-- Before the command only: `run -e` is another.
local CODE = { "-e", key = "code", value = "CODE", many = true }

--- Global options may stand before or after the command's name.
local function with_global(options)
  local all = {}
  for _, option in ipairs(options) do all[#all + 1] = option end
  for _, option in ipairs(GLOBAL) do all[#all + 1] = option end
  return all
end

--- Whether errors are wanted as JSON, from a line that does not parse.
local function wants_json(argv)
  for _, word in ipairs(argv) do
    if word == "--" then return false end
    if word == "--json" then return true end
  end
  return false
end

local function run(argv)
  local global, err = args.parse(argv, 1, with_global { CODE }, true)
  local ctx = context.new(global or { json = wants_json(argv) })
  if not global then return ctx:usage(err) end
  if global.code then table.insert(global, 1, "repl") end
  local name = global.version and "version" or global[1]
  if global.help or not name then
    name = name or "help"
    if global.help then return commands.help(ctx, { name ~= "help" and name or nil }) end
  end
  local command
  command, err = commands.load(name, global.lua_path)
  if not command then
    ctx.json = ctx.json or wants_json(argv)
    if err then return ctx:fail(name .. ": " .. err, "denied") end
    return ctx:usage(string.format("unknown command %q%s; see exhost help", name,
      args.hint(name, commands.list(global.lua_path))))
  end
  local parsed
  parsed, err = args.parse(global, 2, with_global(command.options), command.stop_at_word)
  if not parsed then
    ctx.json = ctx.json or wants_json(argv)
    return ctx:usage(name .. ": " .. err, command.failure)
  end
  for _, option in ipairs(GLOBAL) do
    if parsed[option.key] == nil then parsed[option.key] = global[option.key] end
  end
  ctx:configure(parsed)
  parsed.code = parsed.code or global.code
  if parsed.help then return commands.help(ctx, { name }) end
  if command.no_words and parsed[1] then
    return ctx:usage(string.format("%s: unexpected %s", name,
      require("exhost.text").quote(parsed[1])))
  end
  return command.run(ctx, parsed)
end

function commands.help(ctx, words)
  return require("exhost.cli.help").run(ctx, words)
end
package.loaded["exhost.cli.commands"] = commands

--- Entered by bindings/host.c.
---@param argv string[] argv[0] is the program
---@param set_exit_code fun(code: integer)
return function(argv, set_exit_code)
  commands.build = build
  -- Test runners step the loop themselves: no task, the state's main thread.
  if argv[1] == "lua" and argv[2] == "--main" then
    return set_exit_code(require("exhost.cli.lua").main(argv, 3))
  end
  if argv[1] == "conformance" and argv[2] ~= "--help" and argv[2] ~= "-h" then
    return set_exit_code(require("exhost.cli.conformance").main(argv, 2))
  end
  async.spawn(function()
    local code = run(argv)
    set_exit_code(code or 0)
    async.cancel_all()
  end, { on_error = function(message)
    context.new({}):error("internal error: " .. tostring(message))
    set_exit_code(125)
    async.cancel_all()
  end })
end
