--- What the scripts of this folder share: `dofile "spec/bench/figures.lua"`.

local figures = {}

--- Print a figure beside its name.
function figures.line(name, format, ...)
  print(string.format("%-64s " .. format, name, ...))
end

--- The middle of a list, which is sorted by it.
function figures.median(list)
  table.sort(list)
  return list[math.floor(#list / 2) + 1]
end

--- The content of a file such as /proc has; it has to be there.
function figures.read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

--- kB that a process has of a kind of memory, a pattern of smaps_rollup; of several the sum.
function figures.memory(pid, kind)
  local total = 0
  for kb in figures.read("/proc/" .. pid .. "/smaps_rollup"):gmatch(kind .. ":%s+(%d+)") do
    total = total + kb
  end
  return total
end

--- Processor time of a process so far, in ms.
function figures.processor(pid)
  local user, kernel = figures.read("/proc/" .. pid .. "/stat"):match("^%d+ %(.*%) "
    .. ("%S+ "):rep(11) .. "(%d+) (%d+)")
  return (user + kernel) * 10 -- a tick
end

return figures
