--- Processes and control groups as the crash specs see them: from outside, by /proc.

local cgroup = require "exhost.cgroup"
local dirs = require "exhost.dir"
local ffi = require "ffi"
local files = require "crash.files"

ffi.cdef [[
int kill(int pid, int sig);
ssize_t readlink(const char *path, char *into, size_t size);
]]

local processes = { KILL = 9, STOP = 19, CONT = 18 }

local PATH_SIZE = 4096

--- Numbers in /proc for which fn(pid) is true.
local function matching(fn)
  local proc, found = assert(dirs.open("/proc")), {}
  for _, name in ipairs(proc:list()) do
    local pid = tonumber(name)
    if pid and fn(pid) then found[#found + 1] = pid end
  end
  proc:close()
  return found
end

local function state_of(pid)
  local stat = files.read("/proc/" .. pid .. "/stat")
  return stat and stat:match("^%d+ %(.*%) (%a)")
end

--- A zombie holds nothing and does nothing.
function processes.is_alive(pid)
  local state = state_of(pid)
  return state ~= nil and state ~= "Z"
end

function processes.is_stopped(pid)
  return state_of(pid) == "T"
end

--- Processes with this in their environment.
function processes.marked(mark)
  return matching(function(pid)
    local environ = files.read("/proc/" .. pid .. "/environ")
    return environ and environ:find(mark, 1, true) and processes.is_alive(pid)
  end)
end

local function link_target(path)
  local buffer = ffi.new("char[?]", PATH_SIZE)
  local size = tonumber(ffi.C.readlink(path, buffer, PATH_SIZE))
  return size >= 0 and ffi.string(buffer, size) or ""
end

--- Shims that serve an execution below this state folder, also one that is deleted.
function processes.shims(state_dir)
  return matching(function(pid)
    local stat = files.read("/proc/" .. pid .. "/stat") or ""
    if not stat:find("(exhost-shim) ", 1, true) then return false end
    return link_target("/proc/" .. pid .. "/fd/5"):sub(1, #state_dir + 1) == state_dir .. "/"
  end)
end

--- Children of these, such as the parked process of a shim.
function processes.children(pids)
  local found = {}
  for _, pid in ipairs(pids) do
    local list = files.read(string.format("/proc/%d/task/%d/children", pid, pid)) or ""
    for child in list:gmatch("%d+") do found[#found + 1] = tonumber(child) end
  end
  return found
end

function processes.signal(pids, signal)
  for _, pid in ipairs(pids) do ffi.C.kill(pid, signal) end
end

--- kill -9, and wait until they are dead. Suspends.
function processes.kill(pids)
  processes.signal(pids, processes.KILL)
  files.eventually(function()
    for _, pid in ipairs(pids) do
      if processes.is_alive(pid) then return false end
    end
    return true
  end)
end

--- Control groups of ours whose name has this in it.
function processes.cgroups(word)
  local found = {}
  for _, parent in pairs(cgroup.find().parents) do
    local dir = assert(dirs.open(parent))
    for _, name in ipairs(dir:list()) do
      if name:find(word, 1, true) then found[#found + 1] = parent .. "/" .. name end
    end
    dir:close()
  end
  return found
end

return processes
