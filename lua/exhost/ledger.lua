--- Who holds which GPU: one file a GPU in <state>/gpus, for all executors and backends.

local dirs = require "exhost.dir"
local state = require "exhost.state"

local ledger = {}

local LOCK_SECONDS = 10

local function file_name(gpu)
  return ((gpu.uuid or gpu.pci_address):gsub("[^%w._-]", "_"))
end

--- Whose holder has this GPU, or some of it: itself, what it is a part of, its parts.
local function overlapping(gpu)
  local names = { file_name(gpu), gpu.part_of and file_name { uuid = gpu.part_of } }
  for _, part in ipairs(gpu.parts or {}) do names[#names + 1] = file_name { uuid = part } end
  return names
end

--- Whether the holder, "executor/execution", still may use it.
local function is_held(root, holder)
  local executor, id = holder:match("^([^/]+)/([^/]+)$")
  local folder = executor and root:open(executor)
  local executions = folder and folder:open("executions")
  local dir = executions and executions:open(id)
  local held = dir ~= nil and dir:stat("result.json") == nil
  if dir then dir:close() end
  if executions then executions:close() end
  if folder then folder:close() end
  return held
end

local function with_lock(store, fn)
  local dir, err = store.root:open("gpus", true)
  if not dir then return nil, "open gpus/: " .. err, "io" end
  local lock, why, code = state.lock(dir, ".lock", LOCK_SECONDS)
  if not lock then
    dir:close()
    return nil, "lock gpus/: " .. why, code
  end
  local value, problem, kind = fn(dir)
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
        local holder = dir:read(name, 512)
        if holder and holder ~= own and is_held(store.root, holder) then
          return nil, string.format("GPU %s is held by %s%s", gpu.uuid or gpu.pci_address, holder,
            i > 1 and " (" .. name .. ")" or ""), "unavailable"
        end
      end
    end
    for _, gpu in ipairs(gpus) do
      local ok, err = dir:write(file_name(gpu), own)
      if not ok then return nil, "write gpus/: " .. err, "io" end
    end
    return true
  end)
end

--- Free what an execution holds. Never fails: a file that stays names one that has ended.
--- Suspends.
function ledger.free(store, id)
  local own = store.executor .. "/" .. id
  with_lock(store, function(dir)
    for _, name in ipairs(dir:list() or {}) do
      if name ~= ".lock" and dir:read(name, 512) == own then dir:unlink(name) end
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
    local holder = name ~= ".lock" and dir:read(name, 512)
    if holder and is_held(store.root, holder) then held[name] = holder end
  end
  if dir then dir:close() end
  return held
end

ledger.file_name = file_name

return ledger
