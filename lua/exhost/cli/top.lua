--- exhost top: what running executions use and write, again and again.

local async = require "exhost.async"
local conclude = require "exhost.conclude"
local json = require "exhost.json"
local listing = require "exhost.listing"
local loop = require "exhost.loop"
local observe = require "exhost.observe"
local system = require "exhost.system"
local units = require "exhost.units"

local SECONDS, LEAST_SECONDS = 2, 0.1
local COLUMNS = { "EXECUTION", "JOB", "BACKEND", "STATUS", "CPU", "MEMORY", "OUTPUT", "PER SECOND",
  "RAN" }
local CLEAR = "\27[H\27[J"

--- How much output an execution's files have.
local function written(ex, id)
  local view = observe.look(ex.state, id)
  local dir = view and view.dir and conclude.log_dir(view)
  local total = 0
  for _, name in ipairs { "stdout.log", "stderr.log" } do
    local stat = dir and dir:stat(name)
    total = total + (stat and stat.size or 0)
  end
  if dir and dir ~= view.dir then dir:close() end
  if view then view:close() end
  return total
end

--- One line's numbers. Suspends.
local function look(ex, entry, before)
  local at, bytes = loop.now(), written(ex, entry.execution_id)
  local last = before[entry.execution_id]
  local stats = entry.running and ex:stats(entry.execution_id) or nil
  before[entry.execution_id] = { at = at, bytes = bytes }
  return {
    execution_id = entry.execution_id, job_id = entry.job_id, backend = entry.backend,
    status = entry.status, started_at = entry.started_at, output_bytes = bytes,
    output_rate = last and math.max(0, (bytes - last.bytes) / (at - last.at)) or nil,
    cpu_percent = stats and stats.cpu_usage.percent, memory = stats and stats.memory.usage,
  }
end

local function busier(a, b)
  local x, y = a.cpu_percent or -1, b.cpu_percent or -1
  if x ~= y then return x > y end
  return a.execution_id < b.execution_id
end

--- What is active now, the busiest first, and how many executions have which status.
--- Suspends; looks at all at once, as a look at CPU time may take a moment.
local function sample(ex, before)
  local list, err, code = ex:list()
  if not list then return nil, err, code end
  local looks, counts, seen = {}, {}, {}
  for _, entry in ipairs(list) do
    counts[entry.status] = (counts[entry.status] or 0) + 1
    if entry.status == "running" or entry.status == "paused" or entry.status == "pending" then
      seen[entry.execution_id] = true
      looks[#looks + 1] = function() return look(ex, entry, before) end
    end
  end
  for id in pairs(before) do
    if not seen[id] then before[id] = nil end
  end
  local found = {}
  for _, answer in ipairs(async.all(looks)) do
    if answer[1] then found[#found + 1] = answer[1] end
  end
  table.sort(found, busier)
  return found, counts
end

local function row(one)
  return { one.execution_id, one.job_id or "-", one.backend or "-", one.status,
    one.cpu_percent and string.format("%.1f%%", one.cpu_percent) or "-",
    one.memory and units.format_size(one.memory) or "-", units.format_size(one.output_bytes),
    one.output_rate and units.format_size(one.output_rate) or "-", listing.ran(one) }
end

local function summary(counts)
  local parts = {}
  for _, status in ipairs { "pending", "running", "paused", "success", "failed" } do
    parts[#parts + 1] = string.format("%d %s", counts[status] or 0, status)
  end
  return table.concat(parts, ", ")
end

local function show(ctx, found, counts)
  if ctx.json then return ctx:print_json(json.array(found)) end
  local columns, rows_there = system.terminal(1)
  if columns then ctx:out(CLEAR) end
  ctx:print(summary(counts))
  local rows = { COLUMNS }
  for _, one in ipairs(found) do
    if rows_there and #rows > rows_there - 4 then
      rows[#rows + 1] = { string.format("… %d more", #found - #rows + 1) }
      break
    end
    rows[#rows + 1] = row(one)
  end
  ctx:print_table(rows)
end

local function redraw(ctx, ex, rounds, seconds)
  local before = {}
  for round = 1, rounds do
    local found, counts, code = sample(ex, before)
    if not found then return ctx:fail(counts, code) end
    if not ctx.json or round == rounds then show(ctx, found, counts) end
    if round < rounds and not async.sleep(seconds) then return 0 end
  end
  return 0
end

return {
  usage = "top [-d TIME] [-n ROUNDS]",
  no_words = true,
  summary = "show what active executions use and write, until interrupted",
  options = {
    { "-d", "--delay", key = "delay", value = "TIME", help = "between two rounds (default: 2s)" },
    { "-n", "--rounds", key = "rounds", value = "ROUNDS",
      help = "then end; with --json the last is printed (default: go on; with --json 1)" },
  },
  run = function(ctx, options)
    local seconds, err = units.duration(options.delay or SECONDS)
    if not seconds then return ctx:usage("top: --delay: " .. err) end
    local rounds = tonumber(options.rounds or (ctx.json and 1 or math.huge))
    if not rounds or rounds < 1 then return ctx:usage("top: --rounds: expected 1 or more") end
    return ctx:with_executor(function(ex)
      local task = async.spawn(redraw, nil, ctx, ex, rounds, math.max(LEAST_SECONDS, seconds))
      loop.on_interrupt(function() async.cancel(task) end)
      return async.join(task)
    end)
  end,
}
