--- exhost update: other limits for running executions.

return {
  usage = "update [--cpus N] [--memory SIZE] [--pids N] ID…",
  summary = "change the limits of running executions",
  options = {
    { "--cpus", key = "cores", value = "N", help = "processors, may be fractional" },
    { "--memory", key = "memory", value = "SIZE", help = "such as 512m" },
    { "--pids", key = "pids", value = "N", help = "the most tasks at a time" },
  },
  run = function(ctx, options)
    local limits = { cores = options.cores, memory = options.memory, pids = options.pids }
    return ctx:for_each_id(options, function(ex, id) return ex:update(id, limits) end)
  end,
}
