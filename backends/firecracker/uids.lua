--- User ids of jails: a folder of the executor's holds files named by one, with the execution that
-- has it in them.

local async = require "exhost.async"
local dirs = require "exhost.dir"
local fs = require "exhost.fs"
local state = require "exhost.state"
local system = require "exhost.system"

local uids = {}

local FOLDER, LOCK = "jail-uids", "lock"
local LOCK_SECONDS, MAX_ID = 10, 256
local TRIES, PAUSE = 200, 0.01

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

--- Whether a process runs as that user, which one that only waits to be reaped does not. The owner
--- of its folder does not tell: that of a process which nobody may trace is root.
local function has_processes(uid)
  local proc = dirs.open "/proc"
  local pattern = string.format("\nUid:[%%d\t]-\t%.0f[\t\n]", uid)
  for _, name in ipairs(proc and proc:list() or {}) do
    local status = name:find "^%d+$" and fs.read("/proc/" .. name .. "/status")
    if status and status:find(pattern) and not status:find "\nState:%s*Z" then return true end
  end
  return false
end

local function pick(held, executions, range, id)
  local from = tonumber(system.random_hex(4), 16)
  for i = 0, range.jail_uid_count - 1 do
    local name = string.format("%.0f",
      range.jail_uid_first + (from + i) % range.jail_uid_count)
    local holder = held:read(name, MAX_ID)
    if holder and is_stale(executions, holder) and not has_processes(tonumber(name)) then
      held:unlink(name)
    end
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

--- Wait until no process runs as that user any more. Suspends.
---@param uid integer? of a jail
---@return boolean free
function uids.settle(uid)
  for i = 1, uid and TRIES or 0 do
    if not has_processes(uid) then break end
    if i == TRIES then return false end
    async.sleep(PAUSE)
  end
  return true
end

--- Give it back. Any number of times.
---@param uid integer? nil: whichever it has, of a host that died before it wrote that down
function uids.release(path, uid, id)
  local held = open(path)
  if not held then return end
  for _, name in ipairs(uid and { string.format("%.0f", uid) } or held:list() or {}) do
    if held:read(name, MAX_ID) == id then held:unlink(name) end
  end
  held:close()
end

return uids
