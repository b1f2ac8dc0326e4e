--- exhost logs: an execution's output, from the files.

local logread = require "exhost.logread"
local loop = require "exhost.loop"
local times = require "exhost.times"

local logs = {
  usage = "logs [OPTIONS] ID",
  summary = "print an execution's output, also after its end",
  options = {
    { "-f", "--follow", key = "follow", help = "go on until the execution ends" },
    { "-n", "--lines", key = "lines", value = "N", help = "only the last N lines" },
    { "--since", key = "since", value = "TIME", help = "from a time (RFC 3339) or so long ago" },
    { "--until", key = "until", value = "TIME", help = "up to a time, or so long ago" },
    { "--no-history", key = "no_history", help = "only what is written from now on" },
    { "--stdout", key = "stdout", help = "only stdout" },
    { "--stderr", key = "stderr", help = "only stderr" },
    { "-t", "--timestamps", key = "timestamps", help = "lead each line with its time" },
    { "--format", key = "format", value = "FORMAT",
      help = "raw (default), frames or jsonl (--json: jsonl)" },
  },
}

local function moment(text)
  local now = loop.time()
  local kind, sec, nsec = times.since(text, math.floor(now), 0)
  if not kind then return nil, sec end
  return sec + (nsec or 0) / 1e9
end

local function stream_options(options)
  local err
  local asked = { follow = options.follow, tail = options.no_history,
    timestamps = options.timestamps, format = options.format }
  if options.stdout ~= options.stderr then
    asked.stream = options.stdout and "stdout" or "stderr"
  end
  if options.lines then
    asked.lines = tonumber(options.lines)
    if not asked.lines then return nil, "-n: expected a number, got " .. options.lines end
  end
  for _, key in ipairs { "since", "until" } do
    if options[key] then
      asked[key], err = moment(options[key])
      if not asked[key] then return nil, "--" .. key .. ": " .. err end
    end
  end
  return asked
end

function logs.run(ctx, options)
  if not options[1] or options[2] then return ctx:usage("logs: expected one execution id") end
  local asked, err = stream_options(options)
  if not asked then return ctx:usage("logs: " .. err) end
  return ctx:with_executor(function(ex)
    asked.target, err = logread.own_output(1)
    if ctx.json then asked.format = asked.format or "jsonl" end
    if not asked.target then return ctx:fail("stdout: " .. err, "io") end
    local stream, why, code = ex:get_log_stream(options[1], asked)
    if not stream then return ctx:fail(why, code) end
    local ok, problem, kind = stream:wait()
    if not ok then return ctx:fail(problem, kind) end
    return 0
  end)
end

return logs
