--- The state on disk: one folder an executor, one folder an execution (design.md section 4).
--
-- Nothing here decides what may happen to an execution; that is execution.lua. This file
-- knows names, locks and what is written where. An execution's folder is made under a
-- temporary name, with its lock held and its first files in it, and then renamed to its
-- id, which fails if the id is taken: so no other host ever sees one half made.

local dirs = require "exhost.dir"
local jobs = require "exhost.state.jobs"
local json = require "exhost.json"
local lock_file = require "exhost.state.lock"
local sweep = require "exhost.state.sweep"
local system = require "exhost.system"
local text = require "exhost.text"

local state = {}

state.lock = lock_file

state.FORMAT = 1 -- of state.json; this version is written, it and the one before are read
local NEW_TRIES = 5
local MAX_RECORD = 16 * 1024 * 1024

---@class exhost.State
local State = {}
State.__index = State

local function refused(path, err, code)
  return nil, string.format("open state folder %s: %s", path, err), code or "io"
end

--- The folder for state when none is named.
---@return string
function state.default_path()
  local named = os.getenv("EXHOST_STATE_DIR")
  if named and named ~= "" then return named end
  if system.ids() == 0 then return "/var/lib/exhost" end
  local base = os.getenv("XDG_STATE_HOME")
  if not base or base:sub(1, 1) ~= "/" then
    base = (os.getenv("HOME") or "/") .. "/.local/state"
  end
  return base .. "/exhost"
end

local function check_private(dir, path)
  if dir:is_private() then return dir end
  dir:close()
  return refused(path, "it must be owned by you and closed to others (chmod 700 " .. path .. ")",
    "denied")
end

local function open_private(parent, name, path)
  local dir, err = parent:open(name, true)
  if not dir then return refused(path, err) end
  return check_private(dir, path)
end

--- Open (make) the state of one executor. The folders must be ours and closed to others.
---@param path string absolute
---@param executor string id
---@return exhost.State? state, string? err, string? code
function state.open(path, executor)
  local root, err = dirs.open(path, { create = true, mode = 448 })
  if not root then return refused(path, err) end
  local self = setmetatable({ path = path, executor = executor }, State)
  local code
  self.root, err, code = check_private(root, path)
  if not self.root then return nil, err, code end
  path = path .. "/" .. executor
  self.dir, err, code = open_private(root, executor, path)
  for _, name in ipairs { "executions", "jobs", "aliases", "failed", "trash" } do
    if self.dir and not err then
      self[name], err, code = open_private(self.dir, name, path .. "/" .. name)
    end
  end
  if err then
    self:close()
    return nil, err, code
  end
  return self
end

--- Give the folders back. Any number of times.
function State:close()
  for _, name in ipairs { "executions", "jobs", "aliases", "failed", "trash", "dir", "root" } do
    if self[name] then self[name]:close() end
    self[name] = nil
  end
end

--- A folder under a temporary name, with its lock held. Until it is held a sweep may take
--- the folder for a dead host's: then another one is made.
---@return string? name, any dir_or_err, any lock
local function make_new(executions)
  local err
  for _ = 1, NEW_TRIES do
    local name = ".new-" .. system.random_hex(8)
    local ok, why = executions:mkdir(name)
    if not ok then return nil, why end
    local dir, lock
    dir, err = executions:open(name)
    if dir then lock, err = dir:lock("lock") end
    if lock then return name, dir, lock end
    if dir then dir:close() end
    executions:remove_tree(name)
  end
  return nil, err
end

--- Make the folder of a new execution, locked, in phase `creating`.
---@param id string
---@param files table<string, string> written into it
---@return table? dir, any lock_or_err, string? code "already_started" when the id is taken
function State:create(id, files)
  local name, dir, lock = make_new(self.executions)
  if not name then return nil, dir, "io" end
  local ok, err, code = true, nil, nil
  for file, content in pairs(files) do
    if ok then ok, err = dir:create(file, content) end
  end
  if ok then ok, err = dir:mkfifo("control") end
  if ok then ok, err, code = self.executions:rename_new(name, self.executions, id) end
  if ok then return dir, lock end
  lock:close()
  dir:close()
  self.executions:remove_tree(name)
  return nil, err, code == "EEXIST" and "already_started" or "io"
end

--- Open an execution's folder by its id or by one that was adopted under it.
---@return table? dir, string id or message, string? code
function State:open_execution(id)
  if not text.is_name(id) then
    return nil, string.format("execution (%s) not found", tostring(id)), "not_found"
  end
  local dir, err, code = self.executions:open(id)
  if dir then return dir, id end
  if code == "ENOENT" then
    local target = self.aliases:read(id, 256)
    if target then
      dir = self.executions:open(target)
      if dir then return dir, target end
    end
    return nil, string.format("execution (%s) not found", id), "not_found"
  end
  return nil, string.format("open execution %s: %s", id, err), "io"
end

--- Whether this folder is the one that has the id, and not one that was removed.
local function is_there(self, view)
  local named = self.executions:open(view.id)
  if not named then return false end
  local same = named:inode() == view.dir:inode()
  named:close()
  return same
end

--- Take an execution's lock. Suspends.
---@param view exhost.View
---@return any? lock, string? err, string? code `not_found` when it was removed
function State:lock_execution(view, seconds)
  -- Not made here: whoever is deleting the folder would be left with a new file in it.
  local lock, err, code = lock_file(view.dir, "lock", seconds, true)
  local there = is_there(self, view)
  if there and code == "not_found" then lock, err, code = lock_file(view.dir, "lock", seconds) end
  if there or not lock then return lock, err, code end
  lock:close()
  return nil, "it was removed", "not_found"
end

--- Ids of all executions on disk.
---@return string[]
function State:ids()
  local kept = {}
  for _, name in ipairs(self.executions:list() or {}) do
    if name:sub(1, 1) ~= "." then kept[#kept + 1] = name end
  end
  table.sort(kept)
  return kept
end

--- Read state.json. Nil for one that is missing, torn or of another format.
---@return table? record, string? why
function state.read(dir)
  local content, err, code = dir:read("state.json", MAX_RECORD)
  if not content then return nil, err, code end
  local record = json.decode(content)
  if type(record) ~= "table" or type(record.phase) ~= "string" then
    return nil, "state.json does not parse"
  end
  if record.format ~= state.FORMAT then
    return nil, string.format("state.json has format %s, this exhost reads %d: use the newer one",
      tostring(record.format), state.FORMAT), "newer"
  end
  return record
end

--- Replace state.json.
function state.write(dir, record)
  record.format = state.FORMAT
  local content, err = json.encode(record)
  if not content then return nil, err, "internal" end
  local ok, why = dir:write("state.json", content)
  if not ok then return nil, "write state.json: " .. why, "io" end
  return true
end

--- Read a JSON file of an execution; nil when it is missing or torn.
function state.read_json(dir, name)
  local content = dir:read(name, MAX_RECORD)
  local value = content and json.decode(content)
  return type(value) == "table" and value or nil
end

local LISTED_RESULT = { finished_at = true, exit_code = true, reason = true, killed = true,
  expires_at = true }
local LISTED_RECORD = { format = true, phase = true, job_id = true, backend = true,
  created_at = true, started_at = true, expires_at = true }

--- What a list tells of an execution that has a result, without decoding its files.
---@param id string of State:ids()
---@return table? summary members of result.json and of state.json; nil: look at it as a whole
function State:summary(id)
  local dir = self.executions:open(id)
  if not dir then return nil end
  local summary = {}
  -- The result first: what state.json says of one that has ended is then not older.
  local plain = dir:members("result.json", LISTED_RESULT, summary)
    and dir:members("state.json", LISTED_RECORD, summary)
  dir:close()
  return plain and summary.format == state.FORMAT and summary.phase and summary or nil
end

--- Move an execution's folder out of sight, then delete it. The rename is what removes
--- it; a crash in the middle leaves only something for the next sweep.
function State:discard(id)
  local name = id .. "." .. system.random_hex(6)
  local ok, err, code = self.executions:rename(id, self.trash, name)
  if not ok then return code == "ENOENT" or nil, err, "io" end
  self.trash:remove_tree(name)
  return true
end

for _, part in ipairs { jobs, sweep } do
  for name, method in pairs(part) do State[name] = method end
end

return state
