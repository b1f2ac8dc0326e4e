--- exhost help: commands and their options.

local args = require "exhost.cli.args"
local commands = require "exhost.cli.commands"
local json = require "exhost.json"

local help = {
  usage = "help [--words | --man] [COMMAND]",
  summary = "explain a command",
  options = {
    { "--words", key = "words", help = "commands, or a command's options, a word a line" },
    { "--man", key = "man", help = "the manual page, in troff" },
  },
}

local function load(name)
  return name == "help" and help or require("exhost.cli." .. name)
end

local function describe(name)
  local command = load(name)
  local options = json.array {}
  for i, option in ipairs(command.options) do
    options[i] = { names = json.array { unpack(option) }, value = option.value, help = option.help }
  end
  return { name = name, usage = command.usage, summary = command.summary, options = options }
end

local function overview(ctx)
  if ctx.json then
    local list = json.array {}
    for i, name in ipairs(commands.list) do list[i] = describe(name) end
    return ctx:print_json(list)
  end
  ctx:print("usage: exhost [OPTIONS] COMMAND …\n\ncommands:")
  for _, name in ipairs(commands.list) do
    ctx:print(string.format("  %-12s %s", name, load(name).summary))
  end
  ctx:print("\noptions of every command:\n" .. args.describe(commands.options))
  return 0
end

local function print_words(ctx, name)
  if not name then return ctx:print(table.concat(commands.list, "\n")) end
  for _, list in ipairs { load(name).options, commands.options } do
    for _, option in ipairs(list) do
      for _, word in ipairs(option) do ctx:print(word) end
    end
  end
end

function help.run(ctx, words)
  local name = words[1]
  if words.man then
    ctx:out(require("exhost.cli.manual")(commands, load))
    return 0
  end
  if not name and words.words then return print_words(ctx) or 0 end
  if not name then return overview(ctx) end
  local found = false
  for _, known in ipairs(commands.list) do found = found or known == name end
  if not found then
    return ctx:usage(string.format("unknown command %q%s", name, args.hint(name, commands.list)))
  end
  if words.words then return print_words(ctx, name) or 0 end
  if ctx.json then return ctx:print_json(describe(name)) end
  local command = load(name)
  ctx:print("usage: exhost " .. command.usage .. "\n\n" .. command.summary)
  if #command.options > 0 then ctx:print("\n" .. args.describe(command.options)) end
  ctx:print("\noptions of every command:\n" .. args.describe(commands.options))
  return 0
end

return help
