--- exhost resume: Resume executions.

return {
  usage = "resume ID…",
  summary = "resume executions",
  options = {},
  run = function(ctx, options)
    return ctx:for_each_id(options, function(ex, id) return ex:resume(id) end)
  end,
}
