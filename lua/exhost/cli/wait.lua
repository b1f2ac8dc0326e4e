--- exhost wait: the result of an execution, any number of times.

local context = require "exhost.cli.context"
local executor = require "exhost.executor"
local units = require "exhost.units"

local wait = {
  usage = "wait [--timeout TIME] ID",
  summary = "wait for an execution and exit with its status",
  options = { { "--timeout", key = "timeout", value = "TIME", help = "give up after this time" } },
  failure = 125,
}

function wait.run(ctx, options)
  local id, timeout = options[1], nil
  if not id or options[2] then return ctx:usage("wait: expected one execution id", 125) end
  if options.timeout then
    local err
    timeout, err = units.duration(options.timeout)
    if not timeout then return ctx:usage("--timeout: " .. err, 125) end
  end
  return ctx:with_executor(function(ex)
    local result, why, code = ex:wait(id, timeout)
    if not result then return ctx:fail(why, code, nil, code == "timeout" and 124 or 125) end
    if ctx.json then ctx:print_json(executor.to_json(result)) end
    if not ctx.json and result.error_msg then ctx:error(result.error_msg) end
    return context.exit_status(result)
  end, 125)
end

return wait
