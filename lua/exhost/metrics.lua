--- Numbers of a host in Prometheus' text format. What is kept on disk is counted there when
--- somebody asks; what only happens in this host (calls, policies, engines) is counted as it
--- happens.

local async = require "exhost.async"
local loop = require "exhost.loop"
local observe = require "exhost.observe"
local state = require "exhost.state"
local times = require "exhost.times"
local sorted_keys = require "exhost.sorted_keys"

local metrics = {}

local START_BUCKETS = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300 }
local ROUND = 50 -- executions; then others have their turn
local PAGE = 4096

---@class exhost.Metric
---@field type "gauge"|"counter"|"histogram"|"summary"
---@field help string
local KNOWN = {
  { "exhost_info", "gauge", "the version" },
  { "exhost_executions", "gauge", "executions that are kept, by backend, status and reason" },
  { "exhost_start_seconds", "histogram", "from request to the workload's start (of those kept)" },
  { "exhost_output_bytes", "gauge", "what ended executions that are kept have written" },
  { "exhost_output_dropped_bytes", "gauge", "of it, what no file has (a limit, a full disk)" },
  { "exhost_output_gaps", "gauge", "executions that are kept whose output has a gap" },
  { "exhost_calls_total", "counter", "calls by method and code since this host began" },
  { "exhost_call_seconds", "summary", "their time" },
  { "exhost_engine_calls_total", "counter", "calls to an engine by code since this host began" },
  { "exhost_engine_call_seconds", "summary", "their time" },
  { "exhost_policy_calls_total", "counter", "decisions of a policy's version by outcome" },
  { "exhost_policy_seconds", "summary", "their time" },
  { "exhost_tasks", "gauge", "tasks of this host that have not ended" },
  { "exhost_memory_bytes", "gauge", "this host's memory: resident, and what Lua holds of it" },
}

local function escape(value)
  return (tostring(value):gsub('[\\"\n]', { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }))
end

--- {a="1",b="2"}, sorted; "" without labels.
local function label_text(labels)
  local parts = {}
  for i, name in ipairs(sorted_keys(labels)) do
    parts[i] = name .. '="' .. escape(labels[name]) .. '"'
  end
  return #parts > 0 and "{" .. table.concat(parts, ",") .. "}" or ""
end

local function add(into, name, labels, by)
  local series = name .. label_text(labels)
  into[series] = (into[series] or 0) + by
end

--- What watch() noted in this Lua state, so in this host, by labels (the table itself) and code.
--- It becomes text when somebody asks: a call takes less time than its names do.
---@type table<table<string, string>, { prefix: string, total: string, seconds: number,
---count: integer, codes: table<string, integer> }>
local watched = {}

--- Note how something ended and how long it took; see watch().
---@param code string
---@param took number seconds
function metrics.note(prefix, total, labels, code, took)
  local entry = watched[labels]
  if not entry then
    entry = { prefix = prefix, total = total, seconds = 0, count = 0, codes = {} }
    watched[labels] = entry
  end
  entry.seconds, entry.count = entry.seconds + took, entry.count + 1
  entry.codes[code] = (entry.codes[code] or 0) + 1
end

local function add_watched(into)
  for labels, entry in pairs(watched) do
    add(into, entry.prefix .. "_seconds_sum", labels, entry.seconds)
    add(into, entry.prefix .. "_seconds_count", labels, entry.count)
    for code, times_seen in pairs(entry.codes) do
      local counted = { code = code }
      for name, text in pairs(labels) do counted[name] = text end
      add(into, entry.total, counted, times_seen)
    end
  end
end

--- Call fn and note how it ended and how long it took. Suspends as fn does.
---@param prefix string "exhost_engine_call": _seconds is for the time
---@param total string the counter
---@param labels table<string, string> kept: the same table for the same labels
---@param fn fun(...): any, any, string?, any nil, message, code on failure
function metrics.watch(prefix, total, labels, fn, ...)
  local began = loop.now()
  local value, more, code, data = fn(...)
  metrics.note(prefix, total, labels, value == nil and (code or "internal") or "ok",
    loop.now() - began)
  return value, more, code, data
end

local function seconds(text)
  local whole, nanoseconds = times.parse_rfc3339(text or "")
  return whole and whole + nanoseconds / 1e9
end

local function note_start(into, record)
  local from, to = seconds(record.created_at), seconds(record.started_at)
  if not from or not to then return end
  local took = math.max(0, to - from)
  for _, edge in ipairs(START_BUCKETS) do
    add(into, "exhost_start_seconds_bucket", { le = string.format("%g", edge) },
      took <= edge and 1 or 0)
  end
  add(into, "exhost_start_seconds_bucket", { le = "+Inf" }, 1)
  add(into, "exhost_start_seconds_sum", nil, took)
  add(into, "exhost_start_seconds_count", nil, 1)
end

local function note_output(into, evidence)
  for _, stream in ipairs { "stdout", "stderr" } do
    local labels = { stream = stream }
    add(into, "exhost_output_bytes", labels, tonumber(evidence[stream .. "_bytes"]) or 0)
    add(into, "exhost_output_dropped_bytes", labels,
      tonumber(evidence[stream .. "_dropped"]) or 0)
  end
  if (tonumber(evidence.gaps) or 0) > 0 then add(into, "exhost_output_gaps", nil, 1) end
end

local function note_execution(into, ex, id)
  local status = ex:status(id)
  local view = status and observe.look(ex.state, id)
  if not view then return end
  if view.dir and view.state ~= "absent" and view.state ~= "removed" then
    local record, result = view.record or {}, state.read_json(view.dir, "result.json") or {}
    add(into, "exhost_executions", { backend = record.backend or "", status = status,
      reason = result.reason or "" }, 1)
    note_start(into, record)
    if result.reason then note_output(into, result.evidence or {}) end
  end
  view:close()
end

local function resident()
  local file = io.open("/proc/self/statm", "r")
  local pages = file and file:read("*l"):match("^%d+ (%d+)")
  if file then file:close() end
  return (tonumber(pages) or 0) * PAGE
end

--- Which metric a series belongs to: histograms and summaries have several endings.
local function family(series)
  local name = series:match("^[%w_]+")
  return KNOWN[name] and name or name:gsub("_bucket$", ""):gsub("_sum$", ""):gsub("_count$", "")
end

for _, entry in ipairs(KNOWN) do KNOWN[entry[1]] = { type = entry[2], help = entry[3] } end

local function edge(series)
  local le = series:match('le="([^"]*)"')
  return le and (tonumber(le) or math.huge)
end

local function before(a, b)
  local x, y = edge(a), edge(b)
  if x and y and x ~= y then return x < y end
  return a < b
end

local function render(into)
  local by_family, out = {}, {}
  for series in pairs(into) do
    local name = family(series)
    by_family[name] = by_family[name] or {}
    table.insert(by_family[name], series)
  end
  for _, entry in ipairs(KNOWN) do
    local name, list = entry[1], by_family[entry[1]]
    if list then
      table.sort(list, before)
      out[#out + 1] = "# HELP " .. name .. " " .. entry[3]
      out[#out + 1] = "# TYPE " .. name .. " " .. entry[2]
      for _, series in ipairs(list) do
        out[#out + 1] = series .. " " .. string.format("%.14g", into[series])
      end
    end
  end
  return table.concat(out, "\n") .. "\n"
end

--- The numbers of an executor, as text. Suspends.
---@param ex exhost.Executor
---@return string
function metrics.text(ex)
  local into = {}
  add_watched(into)
  add(into, "exhost_info", { version = require("exhost.build").version, executor = ex:id() }, 1)
  for i, id in ipairs(ex.state:ids()) do
    note_execution(into, ex, id)
    if i % ROUND == 0 then async.yield() end
  end
  add(into, "exhost_tasks", nil, async.count())
  add(into, "exhost_memory_bytes", { kind = "resident" }, resident())
  add(into, "exhost_memory_bytes", { kind = "lua" }, collectgarbage("count") * 1024)
  return render(into)
end

return metrics
