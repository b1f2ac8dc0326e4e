--- exhost repl: a prompt on a host of its own, or on the host that serves.

local async = require "exhost.async"
local build = require "exhost.build"
local loop = require "exhost.loop"
local system = require "exhost.system"

local GREETING = "exhost %s, executor %s in %s\nhelp() helps; Ctrl-D leaves\n"

--- A prompt of this program's own.
local function own_target(ex)
  local prompt = require("exhost.repl.session").new(ex, { terminal = true,
    write = function(text) system.write(1, text) end })
  return {
    eval = function(text) return prompt:eval(text) end,
    quiet = function(text) return prompt:eval(text, true) end,
    complete = function(text) return prompt:complete(text) end,
    interrupt = function() prompt:interrupt() end,
    close = function() prompt:close() end,
  }
end

--- A prompt in the host that serves.
local function attached_target(ex)
  local client, remote = require "exhost.client", require "exhost.repl.remote"
  local host, err, code = client.open(ex.state.dir, { socket = remote.SOCKET,
    notice = function(method, params)
      if method == "output" then system.write(1, params.text) end
    end })
  if not host then
    if code == "unavailable" then err = "no host lets prompts attach (exhost serve --attach)" end
    return nil, err, code
  end
  local function eval(text, quiet)
    return host:call("eval", { text = text, quiet = quiet })
  end
  return {
    eval = eval,
    quiet = function(text) return eval(text, true) end,
    complete = function(text) return (host:call("complete", { text = text })) end,
    interrupt = function() async.spawn(function() host:call("interrupt") end) end,
    close = function() host:close() end,
  }
end

local function run_code(ctx, target, texts)
  loop.on_interrupt(function()
    loop.heed()
    target.interrupt()
  end)
  for _, text in ipairs(texts) do
    local ok, err, code = target.quiet(text)
    if not ok then return ctx:fail(err, code) end
  end
  return 0
end

local function interactive(ctx, ex, target)
  system.write(1, string.format(GREETING, build.version, ex:id(), ex.state.path))
  local ok, err, code = require("exhost.repl.terminal")(target, ex.state.root)
  if ok then return 0 end
  if code ~= "ENOSYS" then return ctx:fail("repl: " .. err, code) end
  ctx:error("lines cannot be edited: " .. err .. " (install libedit2)", "unsupported")
  return nil
end

local function run(ctx, ex, options, target)
  if options.code then return run_code(ctx, target, options.code) end
  if system.terminal(0) and system.terminal(1) then
    local status = interactive(ctx, ex, target)
    if status then return status end
  end
  local ok, err = require("exhost.repl.script")(target, 0)
  return ok and 0 or ctx:fail(err, "internal")
end

return {
  usage = "repl [--attach] [-e CODE]",
  summary = "type Lua at a host on the state folder; without a terminal, run what stdin says",
  options = {
    { "--attach", key = "attach", help = "in the host that serves (exhost serve --attach), not in "
      .. "one of its own; every line is audited there" },
    { "-e", "--execute", key = "code", value = "CODE", many = true,
      help = "run this and end; `exhost -e CODE` is the same" },
  },
  run = function(ctx, options)
    if options[1] then return ctx:usage("repl: unexpected " .. options[1]) end
    return ctx:with_executor(function(ex)
      local target, err, code = (options.attach and attached_target or own_target)(ex)
      if not target then return ctx:fail("repl: " .. err, code) end
      local status = run(ctx, ex, options, target)
      target.close()
      return status
    end)
  end,
}
