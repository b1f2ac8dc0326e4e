--- exhost run: start, stream the output, exit as the job did.

local async = require "exhost.async"
local context = require "exhost.cli.context"
local executor = require "exhost.executor"
local logread = require "exhost.logread"
local loop = require "exhost.loop"
local request = require "exhost.cli.request"
local served = require "exhost.cli.served"

local run = {
  usage = "run [OPTIONS] [--] ARGV…",
  summary = "run a job, stream its output and exit with its status",
  stop_at_word = true,
  failure = 125,
}

run.options = {}
for _, option in ipairs(request.OPTIONS) do run.options[#run.options + 1] = option end
run.options[#run.options + 1] = { "--rm", key = "rm",
  help = "remove it with its logs when it ended" }

local INTERRUPTS = { [1] = true, [2] = true, [15] = true } -- HUP INT TERM

--- The first interrupt cancels, the second kills.
local function cancel_on_interrupt(ex, id, state)
  loop.on_interrupt(function(signal)
    if not INTERRUPTS[signal] then return end
    state.interrupts = (state.interrupts or 0) + 1
    local options = { wait = false, signal = state.interrupts > 1 and "KILL" or nil }
    if not id() then
      if state.starting then async.cancel(state.starting) end
      return
    end
    async.spawn(function() ex:cancel(id(), options) end, { on_error = function() end })
  end)
end

--- Copy one stream to one of our descriptors until the execution has ended.
local function stream_to(ex, id, fd, name)
  local target, err = logread.own_output(fd)
  if not target then return nil, err end
  return ex:get_log_stream(id, { stream = name, follow = true, target = target })
end

--- Wait for both streams. When nobody reads our output any more, the job is told as a
--- plain program would be: by SIGPIPE.
---@return boolean broken, boolean lost whether output could not be written, which is told
local function drain(ctx, ex, id, streams)
  local broken, lost = false, false
  for fd, name in ipairs { "stdout", "stderr" } do
    local stream = streams[fd]
    local ok, err = true, nil
    if stream then ok, err = stream:wait() end
    if not ok then
      lost = true
      ctx:error(string.format("write %s: %s (exhost logs %s has it)", name, err, id))
    end
    if stream and stream.broken then ex:cancel(id, { signal = "PIPE" }) end
    broken = broken or stream and stream.broken
  end
  return broken, lost
end

local function report(ctx, result, broken)
  if ctx.json then
    ctx:print_json(executor.to_json(result))
  elseif broken then
    return context.exit_status(result) -- our own doing, and nothing to tell of
  elseif result.error_msg and result.reason ~= "exited" and result.reason ~= "signaled" then
    ctx:error(result.error_msg)
  end
  return context.exit_status(result)
end

local function execute(ctx, ex, asked, options)
  local id, err, code, data
  local state = { starting = nil }
  cancel_on_interrupt(ex, function() return id end, state)
  state.starting = async.spawn(function()
    return served.start(ctx, ex, options, asked)
  end, { on_error = function() end })
  id, err, code, data = async.join(state.starting)
  if not id then return ctx:fail(err, code, data, context.start_status(data)) end
  if state.interrupts then ex:cancel(id, { wait = false }) end -- while it was being started
  local streams = {}
  if not ctx.json then
    for fd, name in ipairs { "stdout", "stderr" } do
      streams[fd], err = stream_to(ex, id, fd, name)
      if not streams[fd] then ctx:error("stream " .. name .. ": " .. err) end
    end
  end
  local broken, lost = drain(ctx, ex, id, streams)
  local result
  result, err, code = ex:wait(id)
  if not result then return ctx:fail(err, code, nil, 125) end
  local status = report(ctx, result, broken)
  if lost and status == 0 then status = run.failure end
  if options.rm then ex:remove(id, nil, { purge = true }) end
  return status
end

function run.run(ctx, options)
  local asked, err, code = request.build(options, options)
  if not asked then return ctx:fail(err, code, nil, 125) end
  return ctx:with_executor(function(ex) return execute(ctx, ex, asked, options) end, 125)
end

return run
