--- User ids of jails: a folder of the executor's holds files named by one, with the execution that
-- has it in them.

local dirs = require "exhost.dir"
local state = require "exhost.state"
local system = require "exhost.system"

local uids = {}

local FOLDER, LOCK = "jail-uids", "lock"
local LOCK_SECONDS, MAX_ID = 10, 256

local function open(executor_path, create)
  local dir, err = dirs.open(executor_path)
  if not dir then return nil, err end
  local held
  held, err = dir:open(FOLDER, create)
  dir:close()
  return held, err
end

--- Whether an execution's folder is gone: its host died before it could give a uid back.
local function is_stale(executions, id)
  local st, _, code = executions:stat(id)
  return not st and code == "ENOENT"
end

local function pick(held, executions, range, id)
  local from = tonumber(system.random_hex(4), 16)
  for i = 0, range.jail_uid_count - 1 do
    local name = string.format("%.0f",
      range.jail_uid_first + (from + i) % range.jail_uid_count)
    local holder = held:read(name, MAX_ID)
    if holder and is_stale(executions, holder) then held:unlink(name) end
    local ok, err, code = held:link_once(name, id)
    if ok then return tonumber(name) end
    if code ~= "EEXIST" then return nil, err, "io" end
  end
  return nil, string.format("all %.0f user ids of backends.firecracker.jail_uid_count are in use",
    range.jail_uid_count), "denied"
end

--- Take a uid that no other execution of this executor has. Suspends.
---@param path string the executor's folder
---@param range table backends.firecracker: jail_uid_first, jail_uid_count
---@return integer? uid, string? err, string? code
function uids.take(path, range, id)
  local held, err = open(path, true)
  if not held then return nil, "a user for the jail: " .. err, "io" end
  local executions, lock, uid, code
  executions, err = dirs.open(path .. "/executions")
  if executions then lock, err, code = state.lock(held, LOCK, LOCK_SECONDS) end
  if lock then
    uid, err, code = pick(held, executions, range, id)
    lock:close()
  end
  if executions then executions:close() end
  held:close()
  if not uid then return nil, "a user for the jail: " .. tostring(err), code or "io" end
  return uid
end

--- Give it back. Any number of times.
function uids.release(path, uid, id)
  local held = uid and open(path)
  if not held then return end
  local name = string.format("%.0f", uid)
  if held:read(name, MAX_ID) == id then held:unlink(name) end
  held:close()
end

return uids
