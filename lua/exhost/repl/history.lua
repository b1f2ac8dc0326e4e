--- Lines that were typed at earlier prompts: a file in the state folder that only we can read.
--- Each prompt adds to it, so that several do not lose each other's.

local FILE = "repl_history"
local MOST, KEEP = 256 * 1024, 1000 -- bytes; lines that are read back

local history = {}

--- What was typed, oldest first. A file that has grown big is cut.
---@param dir exhost.dir the state folder
---@return string[] lines
function history.read(dir)
  local kept, size = {}, 0
  local text = dir:read(FILE) or ""
  for line in text:gmatch("([^\n]+)\n") do kept[#kept + 1] = line end
  local first = #kept + 1
  while first > 1 and #kept - first < KEEP - 1 and size < MOST / 2 do
    first = first - 1
    size = size + #kept[first] + 1
  end
  kept = { unpack(kept, first) }
  if #text > MOST / 2 then dir:write(FILE, table.concat(kept, "\n") .. "\n") end
  return kept
end

--- Add a line; one too many is left out until the file is cut.
---@param dir exhost.dir
---@param line string
function history.add(dir, line)
  if line:find("%S") then dir:append(FILE, line .. "\n", MOST) end
end

return history
