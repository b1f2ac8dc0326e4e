--- exhost help: commands and their options.

local args = require "exhost.cli.args"
local commands = require "exhost.cli.commands"

local help = { usage = "help [COMMAND]", summary = "explain a command", options = {} }

local function overview(ctx)
  ctx:print("usage: exhost [OPTIONS] COMMAND …\n\ncommands:")
  for _, name in ipairs(commands.list) do
    local command = name == "help" and help or require("exhost.cli." .. name)
    ctx:print(string.format("  %-12s %s", name, command.summary))
  end
  ctx:print("\noptions of every command:\n" .. args.describe(commands.options))
  return 0
end

function help.run(ctx, words)
  local name = words[1]
  if not name then return overview(ctx) end
  local found = false
  for _, known in ipairs(commands.list) do found = found or known == name end
  if not found then return ctx:usage(string.format("unknown command %q", name)) end
  local command = name == "help" and help or require("exhost.cli." .. name)
  ctx:print("usage: exhost " .. command.usage .. "\n\n" .. command.summary)
  if #command.options > 0 then ctx:print("\n" .. args.describe(command.options)) end
  ctx:print("\noptions of every command:\n" .. args.describe(commands.options))
  return 0
end

return help
