--- Which paths of the host may be given to a workload: the operator's word, else none of those
-- that give the host away.

local system = require "exhost.system"

local hostpaths = {}

local SENSITIVE = { "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root/.gnupg",
  "/root/.ssh", "/run", "/sbin", "/sys", "/usr", "/var/lib/exhost", "/var/run" }

local function plain(path)
  return (path:gsub("/+", "/"):gsub("/$", ""))
end

local function is_in(path, folder)
  return path == folder or path:sub(1, #folder + 1) == folder .. "/"
end

--- Whether a path lies in one of the folders; "all" is every folder.
---@param path string absolute
---@param folders string[]|"all"
---@return boolean
function hostpaths.below(path, folders)
  path = plain(path)
  if ("/" .. path .. "/"):find("/../", 1, true) then return false end
  if folders == "all" then return true end
  for _, folder in ipairs(folders) do
    if is_in(path, plain(folder)) then return true end
  end
  return false
end

--- Whether a path is, holds, or lies in what gives the host away.
---@param more string[]? what does so beside what always does
---@return boolean
function hostpaths.is_sensitive(path, more)
  path = plain(path)
  if path == "" then return true end
  for _, list in ipairs { SENSITIVE, more or {} } do
    for _, folder in ipairs(list) do
      if is_in(path, folder) or is_in(folder, path) then return true end
    end
  end
  return false
end

--- Whether a path may be given away, by its name and by what that stands for. Reads the links.
---@param folders string[]|"all"|nil what the operator grants; nil: all that is not sensitive
---@param more string[]? as above
---@return boolean
function hostpaths.granted(source, folders, more)
  for _, path in ipairs { source, system.real_path(source) or source } do
    local ok
    if folders then ok = hostpaths.below(path, folders)
    else ok = not hostpaths.is_sensitive(path, more) end
    if not ok then return false end
  end
  return true
end

return hostpaths
