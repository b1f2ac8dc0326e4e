--- Executions as rows of cells, and rows as lines: `exhost ps`, `top`, and `ps` at the prompt.

local loop = require "exhost.loop"
local times = require "exhost.times"
local units = require "exhost.units"

local listing = {}

listing.COLUMNS = { "EXECUTION", "JOB", "BACKEND", "STATUS", "EXIT", "STARTED", "RAN" }

local function seconds(text)
  return text and times.parse_rfc3339(text) or nil
end

--- How long an execution has run, or ran.
---@return string
function listing.ran(entry)
  local from, to = seconds(entry.started_at), seconds(entry.finished_at)
  if not from then return "-" end
  return units.format_duration(math.max(0, math.floor((to or loop.time()) - from)))
end

--- The cells of COLUMNS.
---@param entry table of executor:list()
---@return string[]
function listing.row(entry)
  local exit = entry.exit_code and string.format("%d", entry.exit_code) or "-"
  if entry.reason and entry.reason ~= "exited" then exit = exit .. " " .. entry.reason end
  return { entry.execution_id, entry.job_id or "-", entry.backend or "-", entry.status, exit,
    entry.started_at and entry.started_at:sub(1, 19) .. "Z" or "-", listing.ran(entry) }
end

--- Rows as lines, in columns.
---@param rows string[][]
---@return string[]
function listing.lines(rows)
  local widths, lines = {}, {}
  for _, cells in ipairs(rows) do
    for i, cell in ipairs(cells) do widths[i] = math.max(widths[i] or 0, #cell) end
  end
  for r, cells in ipairs(rows) do
    local line = {}
    for i, cell in ipairs(cells) do line[i] = cell .. (" "):rep(widths[i] - #cell) end
    lines[r] = table.concat(line, "  "):gsub(" +$", "")
  end
  return lines
end

return listing
