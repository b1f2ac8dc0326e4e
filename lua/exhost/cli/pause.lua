--- exhost pause: Pause executions.

return {
  usage = "pause ID…",
  summary = "pause executions",
  options = {},
  run = function(ctx, options)
    return ctx:for_each_id(options, function(ex, id) return ex:pause(id) end)
  end,
}
