--- exhost inspect: the record of executions.

return {
  usage = "inspect ID…",
  summary = "print what is known of executions, as JSON",
  options = {},
  run = function(ctx, options)
    return ctx:for_each_id(options, function(ex, id)
      local info, err, code = ex:info(id)
      if not info then return nil, err, code end
      ctx:print_json(info)
      return true
    end)
  end,
}
