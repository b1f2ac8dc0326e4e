--- A folder of its own for a spec's body, which runs as a task; gone afterwards.
--
--   it("writes", scratch.with(function(dir, path) … end))

local async = require "exhost.async"
local dirs = require "exhost.dir"
local loop = require "exhost.loop"
local system = require "exhost.system"
local task = require "conformance.task"

local scratch = {}

--- Make a folder. Answers it open, and its path.
function scratch.open()
  local path = "/tmp/exhost-spec-" .. system.random_hex(6)
  return assert(dirs.open(path, { create = true })), path
end

function scratch.remove(path)
  local parent = dirs.open("/tmp")
  parent:remove_tree(path:match("[^/]+$"))
  parent:close()
end

--- A spec's body as a task with a folder.
---@param limit number? seconds that it may take
function scratch.with(body, limit)
  return task(function()
    local dir, path = scratch.open()
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, dir, path)
    dir:close()
    scratch.remove(path)
    if not ok then error(err, 0) end
  end, limit)
end

--- Numbers of the descriptors that this process has open now.
---@return table<integer, true>
function scratch.descriptors()
  local dir = dirs.open("/proc/self/fd")
  local names, found = dir:list(), {}
  dir:close()
  for _, name in ipairs(names) do
    -- Those that the listing itself needed are gone by now.
    if dirs.open("/proc/self/fdinfo"):stat(name) then found[tonumber(name)] = true end
  end
  collectgarbage()
  return found
end

--- Wait until the condition holds. Answers what it answered then. Suspends.
function scratch.wait_until(condition)
  local ends = loop.now() + 20
  repeat
    local value = condition()
    if value then return value end
    async.sleep(0.002)
  until loop.now() > ends
end

function scratch.count(set)
  local n = 0
  for _ in pairs(set) do n = n + 1 end
  return n
end

return scratch
