--- exhost cleanup: stop and remove everything of this executor.

return {
  usage = "cleanup",
  no_words = true,
  summary = "stop and remove all executions, half-made ones too",
  options = {
    { "-b", "--backend", key = "backend", value = "NAME", help = "only this backend's" },
  },
  run = function(ctx, options)
    return ctx:with_executor(function(ex)
      ex.only = options.backend
      local ok, err, code = ex:cleanup()
      if not ok then return ctx:fail(err, code) end
      return ctx.json and ctx:print_json { ok = true } or 0
    end)
  end,
}
