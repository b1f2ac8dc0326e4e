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
  local widths, lines, blanks = {}, {}, {}
  for _, cells in ipairs(rows) do
    for i, cell in ipairs(cells) do
      if #cell > (widths[i] or 0) then widths[i] = #cell end
    end
  end
  for _, width in ipairs(widths) do
    for n = 0, width do blanks[n] = blanks[n] or (" "):rep(n) end
  end
  for r, cells in ipairs(rows) do
    local line, last = {}, #cells
    while last > 1 and cells[last] == "" do last = last - 1 end -- nothing trails
    for i = 1, last do
      line[i] = i == last and cells[i] or cells[i] .. blanks[widths[i] - #cells[i]]
    end
    lines[r] = table.concat(line, "  ")
  end
  return lines
end

return listing
