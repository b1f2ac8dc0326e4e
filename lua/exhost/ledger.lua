--- Who holds which GPU: one file a GPU in <state>/gpus, for all executors and backends. What was
-- lost of it is made again from the records of executions that hold some.

local async = require "exhost.async"
local dirs = require "exhost.dir"
local json = require "exhost.json"
local state = require "exhost.state"

local ledger = {}

local LOCK_SECONDS = 10
local COMPLETE = ".complete" -- is there unless the folder was lost

--- Whether a file is the ledger's, and not a GPU's.
local function is_own(name)
  return name == ".lock" or name == COMPLETE
end

local function file_name(gpu)
  return ((gpu.uuid or gpu.pci_address):gsub("[^%w._-]", "_"))
end

--- Whose holder has this GPU, or some of it: itself, what it is a part of, its parts.
local function overlapping(gpu)
  local names = { file_name(gpu), gpu.part_of and file_name { uuid = gpu.part_of } }
  for _, part in ipairs(gpu.parts or {}) do names[#names + 1] = file_name { uuid = part } end
  return names
end

--- The folder of an executor's executions.
local function executions_of(root, executor)
  local folder = executor and root:open(executor)
  local executions = folder and folder:open("executions")
  if folder then folder:close() end
  return executions
end

--- Whether the holder, "executor/execution", still may use it.
local function is_held(root, holder)
  local executor, id = holder:match("^([^/]+)/([^/]+)$")
  local executions = executions_of(root, executor)
  local dir = executions and executions:open(id)
  local held = dir ~= nil and dir:stat("result.json") == nil
  if dir then dir:close() end
  if executions then executions:close() end
  return held
end

local function put(dir, name, content)
  local ok, err = dir:write(name, content)
  if not ok then return nil, "write gpus/: " .. err, "io" end
  return true
end

--- Who else has it, and may still use it.
local function taken(root, dir, name, own)
  local holder = dir:read(name, 512)
  return holder and holder ~= own and is_held(root, holder) and holder or nil
end

--- Write down again what a record says that its execution holds; not what another one has.
local function restore(root, dir, own, names)
  for _, name in ipairs(type(names) == "table" and names or {}) do
    if dir:read(name, 512) ~= own and not taken(root, dir, name, own) then
      local ok, err, code = put(dir, name, own)
      if not ok then return nil, err, code end
    end
  end
  return true
end

--- The same for each execution of each executor. Suspends.
local function restore_all(root, dir)
  local give_way = async.pacer()
  for _, executor in ipairs(root:list() or {}) do
    local executions = executions_of(root, executor)
    for _, id in ipairs(executions and executions:list() or {}) do
      local execution = executions:open(id)
      local record = execution and not execution:stat("result.json") and state.read(execution)
      if execution then execution:close() end
      local ok, err, code = give_way()
      if ok and record then
        ok, err, code = restore(root, dir, executor .. "/" .. id, record.holds_gpus)
      end
      if not ok then
        executions:close()
        return nil, err, code
      end
    end
    if executions then executions:close() end
  end
  return put(dir, COMPLETE, "")
end

local function with_lock(store, fn)
  local dir, err = store.root:open("gpus", true)
  if not dir then return nil, "open gpus/: " .. err, "io" end
  local lock, why, code = state.lock(dir, ".lock", LOCK_SECONDS)
  if not lock then
    dir:close()
    return nil, "lock gpus/: " .. why, code
  end
  local value, problem, kind = true, nil, nil
  if not dir:stat(COMPLETE) then value, problem, kind = restore_all(store.root, dir) end
  if value then value, problem, kind = fn(dir) end
  lock:close()
  dir:close()
  return value, problem, kind
end

--- Take GPUs for an execution, all or none. Suspends.
---@param store exhost.State
---@param gpus table[] of the inventory
---@return true? ok, string? err, string? code
function ledger.claim(store, gpus, id)
  local own = store.executor .. "/" .. id
  return with_lock(store, function(dir)
    for _, gpu in ipairs(gpus) do
      for i, name in ipairs(overlapping(gpu)) do
        local holder = taken(store.root, dir, name, own)
        if holder then
          return nil, string.format("GPU %s is held by %s%s", gpu.uuid or gpu.pci_address, holder,
            i > 1 and " (" .. name .. ")" or ""), "unavailable"
        end
      end
    end
    for _, gpu in ipairs(gpus) do
      local ok, err, code = put(dir, file_name(gpu), own)
      if not ok then return nil, err, code end
    end
    return true
  end)
end

--- What a record says of GPUs that were claimed.
---@param gpus table[] of the inventory
---@return string[] names of their files
function ledger.names(gpus)
  local names = json.array {}
  for i, gpu in ipairs(gpus) do names[i] = file_name(gpu) end
  return names
end

--- Claim again what an execution's record says that it holds, where it is not written down. What
--- another one was given meanwhile stays that one's. Suspends.
---@param names string[]|true? `holds_gpus` of the record; true: an older one, without names
---@return true? ok, string? err, string? code
function ledger.keep(store, id, names)
  local own, missing = store.executor .. "/" .. id, false
  local dir = store.root:open("gpus")
  for _, name in ipairs(type(names) == "table" and names or {}) do
    if not dir or dir:read(name, 512) ~= own then missing = true end
  end
  if dir then dir:close() end
  if not missing then return true end
  return with_lock(store, function(locked) return restore(store.root, locked, own, names) end)
end

--- Free what an execution holds. Never fails: a file that stays names one that has ended.
--- Suspends.
function ledger.free(store, id)
  local own = store.executor .. "/" .. id
  with_lock(store, function(dir)
    for _, name in ipairs(dir:list() or {}) do
      if not is_own(name) and dir:read(name, 512) == own then dir:unlink(name) end
    end
    return true
  end)
end

--- Holders by GPU file name: of those that still hold.
---@return table<string, string>
function ledger.holders(store)
  local held = {}
  local dir = store.root:stat("gpus") and dirs.open(store.path .. "/gpus")
  for _, name in ipairs(dir and dir:list() or {}) do
    local holder = not is_own(name) and dir:read(name, 512)
    if holder and is_held(store.root, holder) then held[name] = holder end
  end
  if dir then dir:close() end
  return held
end

ledger.file_name = file_name

return ledger
