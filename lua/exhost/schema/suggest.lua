--- Which of the known names was meant by one that is not known.
local suggest = {}

--- Count the insertions, deletions, changes and swaps of neighbours between two texts.
---@param a string
---@param b string
---@return integer
function suggest.distance(a, b)
  local before, last = {}, {}
  for k = 0, #b do last[k] = k end
  for i = 1, #a do
    local row = { [0] = i }
    for k = 1, #b do
      local same = a:byte(i) == b:byte(k)
      local best = math.min(last[k] + 1, row[k - 1] + 1, last[k - 1] + (same and 0 or 1))
      if i > 1 and k > 1 and a:byte(i) == b:byte(k - 1) and a:byte(i - 1) == b:byte(k) then
        best = math.min(best, before[k - 2] + 1)
      end
      row[k] = best
    end
    before, last = last, row
  end
  return last[#b]
end

local function plain(name)
  return (name:lower():gsub("[_%- ]", ""))
end

--- Find the name that is near enough to be what was meant.
---@param wrong string
---@param names string[]
---@return string? name
function suggest.nearest(wrong, names)
  if #wrong > 64 then return nil end
  local allowed = math.min(2, math.floor(#wrong / 3))
  local best, best_distance
  for _, name in ipairs(names) do
    local distance = plain(name) == plain(wrong) and 0 or suggest.distance(wrong, name)
    local near = distance <= allowed
    local nearer = not best or distance < best_distance
      or distance == best_distance and name < best
    if near and nearer then best, best_distance = name, distance end
  end
  return best
end

return suggest
