--- What the scripts of this folder share: `dofile "spec/bench/figures.lua"`.

local async = require "exhost.async"
local lines = require "exhost.lines"
local loop = require "exhost.loop"
local outlet = require "exhost.outlet"
local process = require "exhost.process_core"
local system = require "exhost.system"

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

--- What an exchange of so many bytes with `cat` takes, p50 in us: what two pipes and waking each
--- other up cost alone. On an idle virtual machine that is most of any exchange. Suspends.
function figures.exchange(count, bytes)
  local theirs_in, ours_out = system.pipe()
  local ours_in, theirs_out = system.pipe()
  local cat = assert(process.spawn { file = "/bin/cat", argv = { "cat" },
    fds = { [0] = theirs_in, [1] = theirs_out }, on_exit = function() end })
  system.close(theirs_in)
  system.close(theirs_out)
  local wake
  local writer = outlet.open(ours_out, 2 ^ 20, function() end)
  local reader = lines.open(ours_in, 2 ^ 20, function(text) if text then wake(text) end end)
  local message, times = ("x"):rep(bytes) .. "\n", {}
  for i = 1, count do
    local from = loop.now()
    async.await(function(done)
      wake = done
      writer:put(message)
    end)
    times[i] = (loop.now() - from) * 1e6
  end
  reader:close()
  writer:close()
  cat:signal(9)
  cat:release()
  return figures.median(times)
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
