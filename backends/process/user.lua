--- Users of this machine, by name or number.

local async = require "exhost.async"
local system = require "exhost.system"

--- Find a user. Suspends.
---@param name string "name", "uid", "name:group" or "uid:gid"
---@return { uid: integer, gid: integer, name: string, home: string, groups: integer[] }? user
---@return string? err, string? code ENOENT: no such user, ESRCH: no such group
return function(name)
  return async.await(function(done)
    local queued, err, code = system.find_user(name, done)
    if not queued then done(nil, err, code) end
  end)
end
