--- exhost start: run in the background, print the id.

local context = require "exhost.cli.context"
local request = require "exhost.cli.request"
local served = require "exhost.cli.served"

local start = {
  usage = "start [OPTIONS] [--] ARGV…",
  summary = "start a job and print its execution id",
  options = request.OPTIONS,
  stop_at_word = true,
  failure = 125,
}

function start.run(ctx, options)
  local asked, err, code = request.build(options, options)
  if not asked then return ctx:fail(err, code, nil, 125) end
  return ctx:with_executor(function(ex)
    local id, why, kind, data = served.start(ctx, ex, options, asked)
    if not id then return ctx:fail(why, kind, data, context.start_status(data)) end
    if ctx.json then return ctx:print_json { execution_id = id } end
    ctx:print(id)
    return 0
  end, 125)
end

return start
