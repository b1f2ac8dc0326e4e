--- exhost rpc: call a method of the host that serves this executor.

local client = require "exhost.client"
local json = require "exhost.json"
local system = require "exhost.system"

local function copy(fd)
  local lines = require "exhost.lines"
  local async = require "exhost.async"
  async.await(function(done)
    local reader = lines.open(fd, 64 * 1024 * 1024, function(line)
      if not line then return done(true) end
      system.write(1, line .. "\n")
    end)
    return function() reader:close() end
  end)
end

return {
  usage = "rpc METHOD [PARAMS]",
  summary = "call a method of the host that serves, with parameters as JSON",
  options = {},
  run = function(ctx, options)
    local method = options[1]
    if not method or options[3] then
      return ctx:usage("rpc: expected a method and its parameters as JSON")
    end
    local params, why = json.decode(options[2] or "{}")
    if params == nil then return ctx:usage("rpc: parameters: " .. why) end
    return ctx:with_executor(function(ex)
      local host, err, code = client.open(ex.state.dir)
      if not host then return ctx:fail("rpc: " .. err .. " (exhost serve)", code) end
      local value, more, kind, data = host:call(method, params)
      if value == nil then
        host:close()
        return ctx:fail(more, kind, data)
      end
      if type(more) == "number" then copy(more) else ctx:print_json(value) end
      host:close()
      return 0
    end)
  end,
}
