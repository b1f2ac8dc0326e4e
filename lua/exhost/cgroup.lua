--- Control groups for workloads: where they go and which file takes which limit.
--
-- Version 1 has a folder a controller and the group joins only those it needs, since
-- joining one costs time; `freezer` always, to find and end every process. Version 2 has
-- one folder. File names and units: Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst
-- of the kernel.

local core = require "exhost.cgroup_core"
local fs = require "exhost.fs"

local cgroup = {}

cgroup.ROOT = "/sys/fs/cgroup"
local PARENT = "exhost"
local CPU_PERIOD_US, CPU_QUOTA_MIN_US = 100000, 1000
local LIMITING = { "memory", "cpu", "pids" }

--- Where this process is, by controller; "" is version 2's.
local function own_paths(text)
  local paths = {}
  for controllers, path in text:gmatch("%d+:([^:\n]*):([^\n]*)") do
    if controllers == "" then paths[""] = path end
    for controller in controllers:gmatch("[^,]+") do paths[controller] = path end
  end
  return paths
end

---@class exhost.Cgroups
---@field version integer 0 when there are none that we may use
---@field root string
---@field parents table<string, string> folder of our groups, by controller ("" in version 2)
---@field controllers table<string, true> those whose limits can be set in our groups

--- Folders to try for our groups: below where this process is, else below the root.
local function candidates(base, own)
  local list = { base .. "/" .. PARENT }
  if own and own ~= "/" then table.insert(list, 1, base .. own .. "/" .. PARENT) end
  return list
end

local function find_v1(found, own)
  for _, controller in ipairs { "freezer", "memory", "cpu", "pids", "cpuacct" } do
    for _, path in ipairs(candidates(found.root .. "/" .. controller, own[controller])) do
      if not found.parents[controller] and core.make(found.root, path) then
        found.parents[controller], found.controllers[controller] = path, true
      end
    end
  end
  if not found.parents.freezer then found.version = 0 end
end

--- Switch controllers on for what is below the folder: one by one, since one that the
--- machine lacks would take the others along.
local function enable(root, parent)
  local enabled, count = {}, 0
  for _, controller in ipairs(LIMITING) do
    local word = "+" .. controller
    if core.make(root, parent, word) and core.write(parent, "cgroup.subtree_control", word) then
      enabled[controller], count = true, count + 1
    end
  end
  return enabled, count
end

--- Where this process is, controllers can often not be switched on: the kernel wants no
--- process in a group that shares out resources, but for the root. So the better one wins.
local function find_v2(found, own)
  local most = -1
  for _, path in ipairs(candidates(found.root, own[""])) do
    if most < #LIMITING and core.make(found.root, path) then
      local enabled, count = enable(found.root, path)
      if count > most then
        if found.parents[""] then core.remove(found.parents[""]) end
        found.parents[""], found.controllers, most = path, enabled, count
      else
        core.remove(path)
      end
    end
  end
  if not found.parents[""] then found.version = 0 end
end

--- Find out what this machine lets us use. Makes the parent folders, nothing else.
---@param options? { root: string, own: string } other places, for specs: a cgroup file
--- system's root, and text as in /proc/self/cgroup
---@return exhost.Cgroups
function cgroup.find(options)
  local root = options and options.root or cgroup.ROOT
  local own = own_paths(options and options.own or (fs.read("/proc/self/cgroup") or ""))
  local found = { version = core.version(root), root = root, parents = {}, controllers = {} }
  if found.version == 2 then find_v2(found, own) end
  if found.version == 1 then find_v1(found, own) end
  return found
end

local function v1_limits(limits)
  local files = {}
  local function set(controller, file, value)
    files[#files + 1] = { controller = controller, file = file, value = value }
  end
  if limits.memory then
    local bytes = string.format("%.0f", limits.memory)
    set("memory", "memory.limit_in_bytes", bytes)
    -- Absent where swap accounting is off; then there is no swap to count either.
    files[#files + 1] = { controller = "memory", file = "memory.memsw.limit_in_bytes",
      value = bytes, optional = true }
  end
  if limits.cores then
    set("cpu", "cpu.cfs_period_us", tostring(CPU_PERIOD_US))
    set("cpu", "cpu.cfs_quota_us", string.format("%.0f",
      math.max(CPU_QUOTA_MIN_US, limits.cores * CPU_PERIOD_US)))
  end
  if limits.pids then set("pids", "pids.max", string.format("%.0f", limits.pids)) end
  return files
end

local function v2_limits(limits)
  local files = {}
  if limits.memory then
    files[#files + 1] = { controller = "memory", file = "memory.max",
      value = string.format("%.0f", limits.memory) }
    files[#files + 1] = { controller = "memory", file = "memory.swap.max", value = "0",
      optional = true }
  end
  if limits.cores then
    files[#files + 1] = { controller = "cpu", file = "cpu.max", value = string.format("%.0f %d",
      math.max(CPU_QUOTA_MIN_US, limits.cores * CPU_PERIOD_US), CPU_PERIOD_US) }
  end
  if limits.pids then
    files[#files + 1] = { controller = "pids", file = "pids.max",
      value = string.format("%.0f", limits.pids) }
  end
  return files
end

--- What would be written for these limits.
---@param limits { memory: number?, cores: number?, pids: number? }
---@return { controller: string, file: string, value: string, optional: boolean? }[]
function cgroup.files(version, limits)
  return version == 2 and v2_limits(limits) or v1_limits(limits)
end

--- Which of the limits cannot be kept here, in words.
---@return string[]
function cgroup.unenforced(found, limits)
  local missing = {}
  local parent = { memory = "memory", cores = "cpu", pids = "pids" }
  for limit, controller in pairs(parent) do
    if limits[limit] and (found.version == 0 or not found.controllers[controller]) then
      missing[#missing + 1] = string.format("%s limit (no %s control group that we may use)",
        limit, controller)
    end
  end
  table.sort(missing)
  return missing
end

--- Folders of a group of that name, by controller.
local function folders(found, name, controllers)
  local paths = {}
  if found.version == 2 then
    if found.parents[""] then paths[1] = found.parents[""] .. "/" .. name end
    return paths
  end
  for _, controller in ipairs(controllers) do
    if found.parents[controller] then
      paths[#paths + 1] = found.parents[controller] .. "/" .. name
    end
  end
  return paths
end

local function apply(found, name, files, paths)
  for _, item in ipairs(files) do
    local path = found.version == 2 and paths[1] or found.parents[item.controller] .. "/" .. name
    local ok, err = core.write(path, item.file, item.value)
    if not ok and not item.optional then
      return nil, string.format("write %s to %s/%s: %s", item.value, path, item.file, err), "io"
    end
  end
  return true
end

--- Make the group with its limits. Limits that have no controller here are left out:
--- `unenforced` named them.
---@return string[]? paths for the shim, string? err, string? code
function cgroup.make(found, name, limits)
  local files, wanted = {}, { "freezer" }
  for _, item in ipairs(cgroup.files(found.version, limits)) do
    if found.controllers[item.controller] then
      files[#files + 1] = item
      if wanted[#wanted] ~= item.controller then wanted[#wanted + 1] = item.controller end
    end
  end
  local paths = folders(found, name, wanted)
  for _, path in ipairs(paths) do
    local ok, err = core.make(found.root, path)
    if not ok then
      cgroup.remove(found, name)
      return nil, string.format("make control group %s: %s", path, err), "io"
    end
  end
  local ok, err, code = apply(found, name, files, paths)
  if not ok then
    cgroup.remove(found, name)
    return nil, err, code
  end
  return paths
end

local ALL = { "freezer", "memory", "cpu", "pids", "cpuacct" }

local function path_of(found, name, controller)
  local parent = found.parents[found.version == 2 and "" or controller]
  return parent and parent .. "/" .. name
end

--- Content of a file of the group; nil where there is none.
---@return string?
function cgroup.read(found, name, controller, file)
  local path = path_of(found, name, controller)
  return path and core.read(path, file) or nil
end

--- Processes in the group.
---@return integer[]
function cgroup.pids(found, name)
  local pids = {}
  for pid in (cgroup.read(found, name, "freezer", "cgroup.procs") or ""):gmatch("%d+") do
    pids[#pids + 1] = tonumber(pid)
  end
  return pids
end

--- Whether all of it stands still (frozen), or nothing of it.
---@return boolean? frozen nil while it is on the way
function cgroup.frozen(found, name)
  if found.version == 2 then
    return (cgroup.read(found, name, "", "cgroup.events") or ""):find("frozen 1", 1, true) ~= nil
  end
  local word = (cgroup.read(found, name, "freezer", "freezer.state") or ""):match("%S+")
  if word == "FREEZING" then return nil end
  return word == "FROZEN"
end

--- Change limits of a running group.
---@param limits { memory: number?, cores: number?, pids: number? }
---@return true? ok, string? err, string? code
function cgroup.update(found, name, limits)
  local files = cgroup.files(found.version, limits)
  for _, item in ipairs(files) do
    local path = path_of(found, name, item.controller)
    if not item.optional and not (path and core.read(path, item.file)) then
      return nil, string.format("the execution is in no %s control group (none can be given to it"
        .. " while it runs: start it with such a limit)", item.controller), "unsupported"
    end
  end
  local paths = { path_of(found, name, "freezer") }
  if found.version == 1 and limits.memory then
    -- Version 1 keeps memory <= memory + swap at every step: going up, the latter first.
    local now = tonumber(cgroup.read(found, name, "memory", "memory.limit_in_bytes")) or 0
    if limits.memory > now then files[1], files[2] = files[2], files[1] end
  end
  return apply(found, name, files, paths)
end

--- SIGKILL everything in the group. Answers how many processes were found.
---@return integer
function cgroup.kill(found, name)
  local count = 0
  for _, path in ipairs(folders(found, name, ALL)) do
    count = count + (core.kill(path) or 0)
  end
  return count
end

--- Remove the group's folders. Idempotent.
---@return true? ok, string? err, string? code EBUSY while processes are in it
function cgroup.remove(found, name)
  for _, path in ipairs(folders(found, name, ALL)) do
    local ok, err, code = core.remove(path)
    if not ok then
      return nil, string.format("remove control group %s: %s", path, err), code
    end
  end
  return true
end

return cgroup
