--- exhost version.

local build = require "exhost.build"

return {
  usage = "version",
  no_words = true,
  summary = "print the version",
  options = {},
  run = function(ctx)
    if ctx.json then
      return ctx:print_json { version = build.version, shim_protocol = 1, state_format = 1 }
    end
    ctx:print("exhost " .. build.version)
    return 0
  end,
}
