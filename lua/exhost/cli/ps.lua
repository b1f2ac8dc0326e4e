--- exhost ps: the executions of an executor.

local async = require "exhost.async"
local json = require "exhost.json"
local listing = require "exhost.listing"
local loop = require "exhost.loop"
local system = require "exhost.system"

local WATCH_SECONDS = 1

local COLORS = { running = 32, paused = 33, failed = 31 }

local function show(ctx, options, list)
  if ctx.json then return ctx:print_json(json.array(list)) end
  local rows = { listing.COLUMNS }
  for i, entry in ipairs(list) do
    if options.quiet then ctx:print(entry.execution_id) end
    rows[i + 1] = listing.row(entry)
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
  no_words = true,
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
