--- exhost ps: the executions of an executor.

local json = require "exhost.json"
local loop = require "exhost.loop"
local times = require "exhost.times"
local units = require "exhost.units"

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

local function print_table(ctx, rows)
  local widths = {}
  for _, cells in ipairs(rows) do
    for i, cell in ipairs(cells) do widths[i] = math.max(widths[i] or 0, #cell) end
  end
  for _, cells in ipairs(rows) do
    local line = {}
    for i, cell in ipairs(cells) do line[i] = cell .. (" "):rep(widths[i] - #cell) end
    ctx:print((table.concat(line, "  "):gsub(" +$", "")))
  end
end

return {
  usage = "ps [-a] [-b BACKEND]",
  summary = "list executions",
  options = {
    { "-a", "--all", key = "all", help = "removed ones that have not expired, too" },
    { "-b", "--backend", key = "backend", value = "NAME", help = "only this backend's" },
    { "-q", "--quiet", key = "quiet", help = "only ids" },
  },
  run = function(ctx, options)
    return ctx:with_executor(function(ex)
      ex.only = options.backend
      local list, err, code = ex:list { all = options.all }
      if not list then return ctx:fail(err, code) end
      if ctx.json then return ctx:print_json(json.array(list)) end
      local rows = { COLUMNS }
      for i, entry in ipairs(list) do
        if options.quiet then ctx:print(entry.execution_id) end
        rows[i + 1] = row(entry)
      end
      if not options.quiet then print_table(ctx, rows) end
      return 0
    end)
  end,
}
