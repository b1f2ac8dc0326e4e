--- exhost help: commands and their options.

local args = require "exhost.cli.args"
local commands = require "exhost.cli.commands"
local json = require "exhost.json"

local help = {
  usage = "help [--words | --man] [COMMAND | config]",
  summary = "explain a command, or the settings (config)",
  options = {
    { "--words", key = "words", help = "commands, or a command's options, a word a line" },
    { "--man", key = "man", help = "the manual page, in troff" },
  },
}

--- What a command says of itself; our own module is not loaded yet when it is asked.
local function loader(ctx)
  return function(name)
    if name == "help" then return help end
    local command, err = commands.load(name, ctx.options.lua_path)
    return command or { usage = name, summary = "not loaded: " .. tostring(err), options = {} }
  end
end

local function describe(name, load)
  local command = load(name)
  local options = json.array {}
  for i, option in ipairs(command.options) do
    options[i] = { names = json.array { unpack(option) }, value = option.value, help = option.help }
  end
  return { name = name, usage = command.usage, summary = command.summary, options = options }
end

local function overview(ctx, names, load)
  if ctx.json then
    local list = json.array {}
    for i, name in ipairs(names) do list[i] = describe(name, load) end
    return ctx:print_json(list)
  end
  ctx:print("usage: exhost [OPTIONS] COMMAND …\n\ncommands:")
  for _, name in ipairs(names) do
    ctx:print(string.format("  %-12s %s", name, load(name).summary))
  end
  ctx:print("\noptions of every command:\n" .. args.describe(commands.options))
  return 0
end

local function print_words(ctx, name, names, load)
  if not name then return ctx:print(table.concat(names, "\n")) end
  for _, list in ipairs { load(name).options, commands.options } do
    for _, option in ipairs(list) do
      for _, word in ipairs(option) do ctx:print(word) end
    end
  end
end

function help.run(ctx, words)
  local name, load, names = words[1], loader(ctx), commands.list(ctx.options.lua_path)
  if words.man then
    ctx:out(require("exhost.cli.manual")(names, commands.options, load))
    return 0
  end
  if not name and words.words then return print_words(ctx, nil, names, load) or 0 end
  if not name then return overview(ctx, names, load) end
  if name == "config" and not words.words then
    local settings = require "exhost.cli.settings"
    if ctx.json then return ctx:print_json(settings.list()) end
    ctx:print(settings.text())
    return 0
  end
  local found = false
  for _, known in ipairs(names) do found = found or known == name end
  if not found then
    return ctx:usage(string.format("unknown command %q%s", name, args.hint(name, names)))
  end
  if words.words then return print_words(ctx, name, names, load) or 0 end
  if ctx.json then return ctx:print_json(describe(name, load)) end
  local command = load(name)
  ctx:print("usage: exhost " .. command.usage .. "\n\n" .. command.summary)
  if #command.options > 0 then ctx:print("\n" .. args.describe(command.options)) end
  ctx:print("\noptions of every command:\n" .. args.describe(commands.options))
  return 0
end

return help
