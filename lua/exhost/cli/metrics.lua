--- exhost metrics: numbers for Prometheus.

local client = require "exhost.client"
local metrics = require "exhost.metrics"

return {
  usage = "metrics",
  no_words = true,
  summary = "print the numbers of the host that serves, else of the state folder, for Prometheus",
  options = {},
  run = function(ctx)
    return ctx:with_executor(function(ex)
      local host = client.open(ex.state.dir)
      local found = { text = not host and metrics.text(ex) or nil }
      if host then
        local err, code
        found, err, code = host:call("metrics")
        host:close()
        if not found then return ctx:fail("metrics: " .. err, code) end
      end
      if ctx.json then return ctx:print_json(found) end
      ctx:out(found.text)
      return 0
    end)
  end,
}
