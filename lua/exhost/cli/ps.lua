--- exhost ps: the executions of an executor.

local async = require "exhost.async"
local json = require "exhost.json"
local loop = require "exhost.loop"
local system = require "exhost.system"
local times = require "exhost.times"
local units = require "exhost.units"

local WATCH_SECONDS = 1
local COLUMNS = { "EXECUTION", "JOB", "BACKEND", "STATUS", "EXIT", "STARTED", "RAN" }

local function seconds(text)
  return text and times.parse_rfc3339(text) or nil
end

local function duration(entry)
  local from, to = seconds(entry.started_at), seconds(entry.finished_at)
  if not from then return "-" end
  return units.format_duration(math.max(0, math.floor((to or loop.time()) - from)))
end

local function row(entry)
  local exit = entry.exit_code and string.format("%d", entry.exit_code) or "-"
  if entry.reason and entry.reason ~= "exited" then exit = exit .. " " .. entry.reason end
  return { entry.execution_id, entry.job_id or "-", entry.backend or "-", entry.status, exit,
    entry.started_at and entry.started_at:sub(1, 19) .. "Z" or "-", duration(entry) }
end

local COLORS = { running = 32, paused = 33, failed = 31 }

local function show(ctx, options, list)
  if ctx.json then return ctx:print_json(json.array(list)) end
  local rows = { COLUMNS }
  for i, entry in ipairs(list) do
    if options.quiet then ctx:print(entry.execution_id) end
    rows[i + 1] = row(entry)
  end
  if options.quiet then return 0 end
  ctx:print_table(rows, function(i, line)
    local color = COLORS[list[i - 1].status]
    return color and string.format("\27[%dm%s\27[0m", color, line) or line
  end)
  return 0
end

--- Again and again until interrupted: in place on a terminal, elsewhere when it differs.
local function redraw(ctx, ex, options)
  local home, seen = system.terminal(1) and "\27[H\27[2J" or "", nil
  while true do
    local list, err, code = ex:list { all = options.all }
    if not list then return ctx:fail(err, code) end
    local now = json.encode(list)
    if home ~= "" or now ~= seen then
      ctx:out(home)
      show(ctx, options, list)
    end
    seen = now
    if not async.sleep(WATCH_SECONDS) then return 0 end
  end
end

local function watch(ctx, ex, options)
  local task = async.spawn(redraw, nil, ctx, ex, options)
  loop.on_interrupt(function() async.cancel(task) end)
  return async.join(task)
end

return {
  usage = "ps [-a] [-w] [-b BACKEND]",
  summary = "list executions",
  options = {
    { "-a", "--all", key = "all", help = "removed ones that have not expired, too" },
    { "-b", "--backend", key = "backend", value = "NAME", help = "only this backend's" },
    { "-w", "--watch", key = "watch", help = "show it again and again, until interrupted" },
    { "-q", "--quiet", key = "quiet", help = "only ids" },
  },
  run = function(ctx, options)
    return ctx:with_executor(function(ex)
      ex.only = options.backend
      if options.watch then return watch(ctx, ex, options) end
      local list, err, code = ex:list { all = options.all }
      if not list then return ctx:fail(err, code) end
      return show(ctx, options, list)
    end)
  end,
}
