--- exhost signal: send a signal to the main process of executions.

return {
  usage = "signal SIGNAL ID…",
  summary = "send a signal to executions",
  options = {},
  run = function(ctx, options)
    local signal = table.remove(options, 1)
    if not signal then return ctx:usage("signal: expected a signal and execution ids") end
    return ctx:for_each_id(options, function(ex, id) return ex:signal(id, signal) end)
  end,
}
