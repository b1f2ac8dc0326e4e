--- exhost adopt: take over what a DMS started without us.

local adopt = require "exhost.adopt"

return {
  usage = "adopt --dms [-b BACKEND]",
  summary = "take over containers that a DMS started itself",
  options = {
    { "--dms", key = "dms", help = "those that carry a DMS's labels" },
    { "-b", "--backend", key = "backend", value = "NAME",
      help = "only this backend's (default: each that can)" },
  },
  run = function(ctx, options)
    if not options.dms or options[1] then return ctx:usage("adopt: expected --dms") end
    return ctx:with_executor(function(ex)
      local list, err, code = adopt.run(ex, options.backend)
      if not list then return ctx:fail("adopt: " .. err, code) end
      if ctx.json then return ctx:print_json(list) end
      for _, one in ipairs(list) do
        ctx:print(string.format("%s: %s", one.handle, one.why and "left alone: " .. one.why
          or "is execution " .. one.execution_id .. " now"))
      end
      if #list == 0 then ctx:print("no container carries a DMS's labels") end
      return 0
    end)
  end,
}
