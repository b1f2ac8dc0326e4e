--- Small files of the machine (/proc, /sys, configuration), read whole.
--
-- For what is the machine's or a person's; an execution's own files are read below a
-- descriptor (exhost.dir), where nothing can be put in their way.

local fs = {}

--- The content of a file; nil when it is not there or cannot be read.
---@param path string
---@return string?
function fs.read(path)
  local file = io.open(path, "r")
  local content = file and file:read("*a")
  if file then file:close() end
  return content
end

--- Its first line, without the newline.
---@param path string
---@return string?
function fs.line(path)
  local content = fs.read(path)
  return content and content ~= "" and content:match("^[^\n]*") or nil
end

--- How many descriptors this process may have open: its soft limit, which jobs begin with.
---@return number? nil: no limit
function fs.open_files()
  return tonumber((fs.read("/proc/self/limits") or ""):match("Max open files%s+(%d+)"))
end

return fs
