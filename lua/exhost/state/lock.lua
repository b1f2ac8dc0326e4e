--- Lock files, which a host holds for as long as it lives at most.

local async = require "exhost.async"
local loop = require "exhost.loop"

local RETRY_FIRST, RETRY_MOST = 0.001, 0.05

--- Take a lock file, waiting within the task's deadline. Suspends.
---@param existing boolean? do not make the file
---@return any? lock release it with :close()
return function(dir, name, seconds, existing)
  local wait, ends = RETRY_FIRST, seconds and loop.now() + seconds
  while true do
    local lock, err, code = dir:lock(name, existing)
    if lock then return lock end
    if code ~= "EAGAIN" then return nil, err, code == "ENOENT" and "not_found" or "io" end
    if ends and loop.now() >= ends then return nil, "locked by another host", "timeout" end
    local ok, word = async.sleep(wait)
    if not ok then return nil, word, word end
    wait = math.min(wait * 2, RETRY_MOST)
  end
end
