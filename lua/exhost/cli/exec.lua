--- exhost exec: a command inside a running execution.

local conclude = require "exhost.conclude"
local context = require "exhost.cli.context"
local logread = require "exhost.logread"

local exec = {
  usage = "exec [OPTIONS] ID [--] ARGV…",
  summary = "run a command in a running execution and exit with its status",
  stop_at_word = true,
  failure = 125,
  options = {
    { "-i", "--interactive", key = "interactive", help = "give it what comes on stdin" },
    { "--timeout", key = "timeout", value = "TIME", help = "kill it after this time" },
  },
}

local function failure(ctx, err, code, data)
  return ctx:fail(err, code, data, code == "timeout" and 124 or context.start_status(data))
end

function exec.run(ctx, options)
  local id = table.remove(options, 1)
  if options[1] == "--" then table.remove(options, 1) end
  if not id or not options[1] then
    return ctx:usage("exec: expected an execution id and a command", 125)
  end
  local argv = {}
  for i, word in ipairs(options) do argv[i] = word end
  return ctx:with_executor(function(ex)
    local targets
    if not ctx.json then
      targets = { stdout = logread.own_output(1), stderr = logread.own_output(2) }
    end
    local result, err, code, data = ex:exec(id, argv, { timeout = options.timeout,
      targets = targets, stdin = options.interactive and logread.own_input(0) or nil })
    if not result then return failure(ctx, err, code, data) end
    if ctx.json then ctx:print_json(conclude.to_json(result)) end
    return result.exit_code
  end, 125)
end

return exec
