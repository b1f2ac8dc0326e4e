--- exhost serve: a host that listens, until it is told to end. Executions go on.

local async = require "exhost.async"
local feed = require "exhost.feed"
local json = require "exhost.json"
local loop = require "exhost.loop"
local server = require "exhost.server"
local system = require "exhost.system"

local ENDS = { [1] = true, [2] = true, [15] = true } -- HUP INT TERM
local FIRST_ACTIVATED = 3

local function logger(ctx)
  return function(level, message)
    local line = ctx.json
      and json.encode { time = loop.timestamp(), level = level, message = message }
      or string.format("%s %s: %s", loop.timestamp(), level, message)
    system.write(2, line .. "\n")
  end
end

--- A socket from systemd (sd_listen_fds(3)).
local function activated()
  local _, _, pid = system.ids()
  if os.getenv("LISTEN_PID") ~= tostring(pid) then return nil end
  return tonumber(os.getenv("LISTEN_FDS")) and FIRST_ACTIVATED or nil
end

--- Reconcile, then conclude what ends and delete what expires.
local function keep_house(ex, log)
  ex:tend(function()
    local ok, err = feed.keep(ex, log)
    if not ok then log("error", err) end
  end)
end

--- What else is listened on: prompts, and a port for Prometheus.
---@return table[]? opened, string? err, string? code
local function open_more(ex, options, log)
  local list = {}
  local one, err, code
  if options.attach or ex.settings.attach then
    one, err, code = require("exhost.repl.remote").open(ex, { log = log })
    if not one then return nil, "prompts: " .. err, code end
    list[1] = one
  end
  local port = options.metrics_port
  if not port then return list end
  port = tonumber(port)
  if not port or port < 0 or port > 65535 or port % 1 ~= 0 then
    err, code = "--metrics-port: expected 0 to 65535", "invalid"
  else
    one, err, code = require("exhost.scrape").open(ex, port)
    if one then
      log("info", string.format("metrics on http://127.0.0.1:%d/metrics", one.port))
      list[#list + 1] = one
      return list
    end
  end
  for _, other in ipairs(list) do other:close() end
  return nil, err, code
end

return {
  usage = "serve [--attach] [--metrics-port N]",
  no_words = true,
  summary = "serve a socket in the state folder until told to end",
  options = {
    { "--attach", key = "attach",
      help = "let our own user and root attach prompts (exhost repl --attach)" },
    { "--metrics-port", key = "metrics_port", value = "N",
      help = "GET /metrics on this port of 127.0.0.1, for Prometheus (0: any)" },
  },
  run = function(ctx, options)
    return ctx:with_executor(function(ex)
      local log = logger(ctx)
      local opened, err, code = server.open(ex, { fd = activated(), log = log })
      if not opened then return ctx:fail("serve: " .. err, code) end
      local more
      more, err, code = open_more(ex, options, log)
      if not more then
        opened:close()
        return ctx:fail("serve: " .. err, code)
      end
      log("info", string.format("serving executor %s in %s", ex:id(), ex.state.path))
      local keeper = async.spawn(keep_house, { on_error = function(message)
        log("error", tostring(message))
      end }, ex, log)
      local signal = async.await(function(done)
        loop.on_interrupt(function(number)
          if ENDS[number] then done(number) end
        end)
      end)
      async.cancel(keeper)
      log("info", string.format("ending on signal %s; executions go on", tostring(signal)))
      opened:close()
      for _, one in ipairs(more) do one:close() end
      return 0
    end)
  end,
}
