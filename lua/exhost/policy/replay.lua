--- What another version of a policy would have decided for the jobs that were recorded here.

local diff = require "exhost.diff"
local inventory = require "exhost.inventory"
local json = require "exhost.json"
local policy = require "exhost.policy"
local state = require "exhost.state"

local replay = {}

local MOST = 200 -- recorded requests, the newest

--- The recorded requests whose backend asks policies, newest first.
local function recorded(ex)
  local list = {}
  for _, id in ipairs(ex.state:ids()) do
    local dir = ex.state:open_execution(id)
    local request = dir and state.read_json(dir, "request.json")
    local record = dir and state.read(dir)
    if dir then dir:close() end
    local backend = record and ex:backend(record.backend)
    if request and backend and backend.apply_policies then
      list[#list + 1] = { id = id, request = request, at = record.created_at or "" }
    end
  end
  table.sort(list, function(a, b) return a.at > b.at end)
  for i = #list, MOST + 1, -1 do list[i] = nil end
  return list
end

--- One set of policies with what it sees of this machine.
local function side(ex, found)
  local policies = policy.new(ex.settings, ex.lua_path)
  if found then policies:put(found) end
  local host = inventory.read(policies:list(), ex.settings.inventory)
  host.prefer_cdi = ex.settings.prefer_cdi
  return { policies = policies, host = host }
end

--- What one side decides: fields as text, or `refused`; nil when the GPUs are not here now.
local function decide(one, request)
  local asked = request.resources and request.resources.gpus or {}
  local gpus = {}
  if #asked > 0 then
    gpus = inventory.resolve(one.host, asked)
    if not gpus then return nil end
  end
  local decision, err = one.policies:decide(request, gpus, one.host)
  if not decision then return { refused = err } end
  local fields = {}
  for part, prefix in pairs { config = "", env = "env." } do
    for name, entry in pairs(decision[part]) do
      fields[prefix .. name] = json.encode(entry.value)
    end
  end
  return fields
end

--- Decide recorded requests by the policies in force and by those with this one in its place.
--- Suspends.
---@param ex exhost.Executor
---@param found table from policy.read()
---@return { requests: integer, gone: integer, changed: table[] } of the requests `gone` name GPUs
--- that are not here now; `changed` has { execution_id, changes = { { field, from, to } } } with
--- values as JSON, and the field "refused" with the reason
function replay.run(ex, found)
  local old, new = side(ex), side(ex, found)
  local report = { requests = 0, gone = 0, changed = json.array {} }
  for _, one in ipairs(recorded(ex)) do
    local before, after = decide(old, one.request), decide(new, one.request)
    report.requests = report.requests + 1
    if not before or not after then
      report.gone = report.gone + 1
    else
      local changes = diff.compare(before, after)
      if #changes > 0 then
        table.insert(report.changed, { execution_id = one.id, changes = changes })
      end
    end
  end
  old.policies:close()
  new.policies:close()
  return report
end

return replay
