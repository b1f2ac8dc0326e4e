--- exhost cancel: signal, grace, KILL.

return {
  usage = "cancel [-s SIGNAL] [-g GRACE] ID…",
  summary = "stop executions and wait until they ended",
  options = {
    { "-s", "--signal", key = "signal", value = "SIGNAL",
      help = "first signal (default: the job's or its image's own, else TERM)" },
    { "-g", "--grace", key = "grace", value = "TIME",
      help = "time until KILL (default: the job's own, else the setting stop_grace, 10s)" },
    { "--no-wait", key = "no_wait", help = "return when they were asked to stop" },
  },
  run = function(ctx, options)
    return ctx:for_each_id(options, function(ex, id)
      return ex:cancel(id, { signal = options.signal, grace = options.grace,
        wait = not options.no_wait })
    end)
  end,
}
