--- Inputs and Outputs of a request as drives: an input is a copy that the guest cannot write, an
--- output an empty one whose content comes back into ResultsDir.

local dirs = require "exhost.dir"
local ext4 = require "backends.firecracker.ext4"
local hostpaths = require "exhost.hostpaths"
local json = require "exhost.json"
local system = require "exhost.system"
local text = require "exhost.text"

local volumes = {}

local MAX_DRIVES = 10 -- a machine has few interrupts
local OUTPUT_LEAST = 4 * 1024 * 1024
local LOGS = { ["stdout.log"] = true, ["stderr.log"] = true, ["log.idx"] = true }
-- Of programs that keep what gives the host away below it.
local SENSITIVE = { "/root", "/var/lib" }
-- What the guest has mounted itself, and what exhost needs there.
local GUESTS = { "/proc", "/sys", "/dev", "/exhost" }

local function kind_of(path)
  local folder, name = path:match("^(.*)/([^/]+)$")
  if not folder then return "directory", 0 end -- "/"
  local dir, err = dirs.open(folder == "" and "/" or folder)
  if not dir then return nil, err end
  local st
  st, err = dir:stat(name)
  dir:close()
  if not st then return nil, err end
  return st.kind, st.size
end

--- What is at an input's source. Reads only.
local function look(field, volume)
  local at = field .. ".source"
  if volume.source:sub(1, 1) ~= "/" then
    return nil, string.format("%s: expected an absolute path of this host, got %s", at,
      text.quote(volume.source)), "invalid"
  end
  local real, err = system.real_path(volume.source)
  local kind, size
  if real then kind, size = kind_of(real) end
  if real and not kind then err = size end
  if kind and kind ~= "directory" and kind ~= "file" then
    err = "it is neither a directory nor a file"
  end
  if err then return nil, string.format("%s: %s: %s", at, volume.source, err), "invalid" end
  return { source = real, is_file = kind == "file" or nil, size = size }
end

--- Whether what came out of another execution is in the way.
local function look_at_results(field, results_dir, name)
  local dir = dirs.open(results_dir .. "/" .. name)
  if not dir then
    if kind_of(results_dir .. "/" .. name) then
      return nil, string.format("%s.source: %s/%s is there already, and no folder", field,
        results_dir, name), "invalid"
    end
    return true
  end
  local list = dir:list(true)
  dir:close()
  if list and #list == 0 then return true end
  return nil, string.format("%s.source: %s/%s has something in it already: name another one, or "
    .. "empty it", field, results_dir, name), "invalid"
end

--- The name below ResultsDir that an output's source is.
local function output_name(volume, results_dir)
  local source = volume.source:gsub("/+$", "")
  local base = results_dir and results_dir:gsub("/+$", "") .. "/"
  if base and source:sub(1, #base) == base then source = source:sub(#base + 1) end
  if source:find("^[A-Za-z0-9_][A-Za-z0-9_.-]*$") and not LOGS[source] then return source end
end

local function each(request)
  local all = {}
  for _, kind in ipairs { "inputs", "outputs" } do
    for i, volume in ipairs(request[kind] or {}) do
      all[#all + 1] = { volume = volume, kind = kind,
        field = string.format("%s[%d]", kind, i) }
    end
  end
  return all
end

--- What planning needs to know of the machine. Reads only.
---@return table? facts by field, string? err, string? code
function volumes.facts(request)
  local found, err, code = {}, nil, nil
  local all = each(request)
  if #all == 0 then return found end
  for _, program in ipairs { "mke2fs", "debugfs", "du" } do
    local path
    path, err, code = ext4.program(program)
    if not path then return nil, "inputs and outputs: " .. err, code end
  end
  for _, entry in ipairs(all) do
    local name = entry.kind == "outputs" and output_name(entry.volume, request.results_dir)
    local seen = true
    if entry.kind == "inputs" then
      seen, err, code = look(entry.field, entry.volume)
    elseif name and request.results_dir then
      seen, err, code = look_at_results(entry.field, request.results_dir, name)
    end
    if not seen then return nil, err, code end
    found[entry.field] = seen
  end
  return found
end

--- A target without repeated slashes and dots, or nil and why not.
local function target_of(field, volume)
  if not volume.target then return nil, field .. ".target: required, but not given" end
  local path = (volume.target .. "/"):gsub("/[./]*/", function(between)
    return between:find("..", 1, true) and between or "/"
  end):gsub("/+", "/"):gsub("/$", "")
  if ("/" .. path .. "/"):find("/../", 1, true) or path:find("%c") then
    return nil, field .. ".target: expected a path without .. and control characters"
  end
  if path == "" then return nil, field .. ".target: the root cannot be mounted over" end
  for _, own in ipairs(GUESTS) do
    if hostpaths.below(path, { own }) then
      return nil, string.format("%s.target: %s is the guest kernel's or exhost's own", field,
        text.quote(path))
    end
  end
  return path
end

local function one(entry, request, seen, size)
  local volume, field = entry.volume, entry.field
  if entry.kind == "inputs" then
    return { kind = "input", source = seen.source, is_file = seen.is_file, asked = volume.source }
  end
  if not request.results_dir then
    return nil, field .. ": results directory is empty: give results_dir, where outputs come to lie"
  end
  local name = output_name(volume, request.results_dir)
  if not name then
    return nil, string.format("%s.source: expected a name of letters, digits and _.-, for a folder "
      .. "in results_dir, got %s", field, text.quote(volume.source))
  end
  return { kind = "output", name = name, size = size }
end

--- The drives of a request, in the order of their targets. Pure.
---@param request table
---@param found table volumes.facts
---@param options { runs: boolean, first: integer, size: number } first: drives before them; size:
--- bytes of an output where the request has no disk.size
---@return table? list { kind, field, device, image, target, source | name, size }, string? err
function volumes.plan(request, found, options)
  local list, targets, names = json.array {}, {}, {}
  local disk = request.resources and request.resources.disk and request.resources.disk.size or 0
  local size = math.max(disk > 0 and disk or options.size, OUTPUT_LEAST)
  for _, entry in ipairs(each(request)) do
    local field = entry.field
    if not options.runs then
      return nil, field .. ": volumes are mounted for a command, and none is given"
    end
    local target, err = target_of(field, entry.volume)
    if not target then return nil, err end
    local made
    made, err = one(entry, request, found[field], math.ceil(size / 4096) * 4096)
    if not made then return nil, err end
    local before = targets[target] or made.name and names[made.name]
    if before then return nil, string.format("%s: the same place as %s", field, before) end
    targets[target], names[made.name or ""] = field, made.name and field or nil
    made.field, made.target = field, target
    list[#list + 1] = made
  end
  if #list + options.first > MAX_DRIVES then
    return nil, string.format("%s: a microVM has at most %d drives here", list[#list].field,
      MAX_DRIVES)
  end
  table.sort(list, function(a, b) return a.target < b.target end)
  for i, volume in ipairs(list) do
    volume.device = "vd" .. string.char(("a"):byte() + options.first + i - 1)
    volume.image = volume.device .. ".ext4"
  end
  return list
end

--- The operator's word on what of the host a guest may see.
---@return true? ok, string? err, string? code
function volumes.check(list, ceiling)
  for _, volume in ipairs(list or {}) do
    if volume.source and not (hostpaths.granted(volume.asked, ceiling.binds, SENSITIVE)
      and hostpaths.granted(volume.source, ceiling.binds, SENSITIVE)) then
      return nil, string.format("%s.source = %s is denied by the operator's ceiling (ceiling.binds "
        .. "would allow it)", volume.field, volume.asked), "denied"
    end
  end
  return true
end

local IMAGES = { { "initrd", "initrd" }, { "root_file_system", "disk" } }

--- The operator's word on which files may be a guest's: it reads all of them, and writes its disk.
--- A kernel is one, or it is not booted.
---@param folders string[]? backends.firecracker.images
---@return true? ok, string? err, string? code
function volumes.check_images(body, folders)
  for _, image in ipairs(IMAGES) do
    local field, path = image[1], body[image[2]]
    if path and not hostpaths.granted(path, folders, SENSITIVE) then
      return nil, string.format("engine_spec.params.%s = %s is denied: no image is taken from "
        .. "there (backends.firecracker.images would allow it)", field, path), "denied"
    end
  end
  return true
end

return volumes
