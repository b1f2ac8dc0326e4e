--- exhost plan: what `start` would do; touches nothing.

local request = require "exhost.cli.request"

return {
  usage = "plan [OPTIONS] [--] ARGV…",
  summary = "print what would be run, without running it",
  options = request.OPTIONS,
  stop_at_word = true,
  run = function(ctx, options)
    local asked, err, code = request.build(options, options)
    if not asked then return ctx:fail(err, code) end
    return ctx:with_executor(function(ex)
      local plan, why, kind, data = ex:plan(asked)
      if not plan then return ctx:fail(why, kind, data) end
      return ctx:print_json(plan)
    end)
  end,
}
