--- exhost repl: a prompt on a host of its own, or on the host that serves.

local build = require "exhost.build"
local loop = require "exhost.loop"
local session = require "exhost.repl.session"
local system = require "exhost.system"

local GREETING = "exhost %s, executor %s in %s\nhelp() helps; Ctrl-D leaves\n"

--- A prompt of this program's own.
local function own_target(ex)
  local prompt = session.new(ex, { terminal = true,
    write = function(text) system.write(1, text) end })
  return {
    eval = function(text) return prompt:eval(text) end,
    quiet = function(text) return prompt:eval(text, true) end,
    complete = function(text) return prompt:complete(text) end,
    interrupt = function() prompt:interrupt() end,
    close = function() prompt:close() end,
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
  usage = "repl [-e CODE]",
  summary = "type Lua at a host of its own on the state folder; without a terminal, run stdin",
  options = {
    { "-e", "--execute", key = "code", value = "CODE", many = true,
      help = "run this and end; `exhost -e CODE` is the same" },
  },
  run = function(ctx, options)
    if options[1] then return ctx:usage("repl: unexpected " .. options[1]) end
    return ctx:with_executor(function(ex)
      local target = own_target(ex)
      local status = run(ctx, ex, options, target)
      target.close()
      return status
    end)
  end,
}
