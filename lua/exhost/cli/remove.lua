--- exhost remove: stop it if it runs, free its id.

local units = require "exhost.units"

return {
  usage = "remove [--timeout TIME] [--purge] ID…",
  summary = "stop and remove executions",
  options = {
    { "--timeout", key = "timeout", value = "TIME",
      help = "the most time until KILL (default: 10s; the job's own grace may be less)" },
    { "--purge", key = "purge", help = "delete result and logs now, not when they expire" },
  },
  run = function(ctx, options)
    local timeout, err
    if options.timeout then
      timeout, err = units.duration(options.timeout)
      if not timeout then return ctx:usage("--timeout: " .. err) end
    end
    return ctx:for_each_id(options, function(ex, id)
      return ex:remove(id, timeout, { purge = options.purge })
    end)
  end,
}
