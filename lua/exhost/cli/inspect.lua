--- exhost inspect: the record of executions.

return {
  usage = "inspect ID…",
  summary = "print what is known of executions, as JSON",
  options = {},
  run = function(ctx, options)
    return ctx:for_each_id(options, function(ex, id) return ex:info(id) end,
      function(info) ctx:print_json(info) end)
  end,
}
