--- Policies: which there are, and what they decide for a job (policies/README.md). Names no
--- vendor: what is a vendor's own is data in its policy.

local async = require "exhost.async"
local dirs = require "exhost.dir"
local redact = require "exhost.request.redact"
local roots = require "exhost.backend".roots
local system = require "exhost.system"
local text = require "exhost.text"
local worker = require "exhost.policy.worker"

local policy = {}

local MOST_SOURCE = 256 * 1024
local NO_GPU = "cpu" -- the policy of jobs that ask for none

---@class exhost.Policies
---@field workers table<string, exhost.PolicyWorker> by name
local Policies = {}
Policies.__index = Policies

--- The content of a file, or of what a link means: both have to be where only root or we write.
local function read(path)
  local real, missing = system.real_path(path)
  if not real then return nil, string.format("read %s: %s", path, missing) end
  local folder, name = real:match("^(.*)/([^/]+)$")
  if not name then return nil, string.format("read %s: not a file", path) end
  for _, place in ipairs { path:match("^(.*)/[^/]+$") or path, real } do
    local ok, why = system.trusted(place)
    if not ok then
      return nil, string.format("%s is not loaded: %s (make it owned by root or you, mode go-w)",
        path, why)
    end
  end
  local dir = dirs.open(folder)
  local source, err
  if dir then
    source, err = dir:read(name, MOST_SOURCE)
    dir:close()
  end
  if not source then
    if err and err:find("^EINVAL") then err = "not a file" end
    return nil, string.format("read %s: %s", path, err or "no such folder")
  end
  return source
end

--- The files beside it that a policy requires, and those that they require.
local function modules_of(folder, source, found)
  for name in source:gmatch("require%s*%(?%s*[\"']([%w_]+)[\"']") do
    if not found[name] then
      local content, err = read(folder .. "/" .. name .. ".lua")
      if not content then return nil, err end
      found[name] = content
      local ok, why = modules_of(folder, content, found)
      if not ok then return nil, why end
    end
  end
  return found
end

--- Read one policy file.
---@return { name: string, path: string, source: string, modules: table }? policy, string? err
function policy.read(path)
  local source, err = read(path)
  if not source then return nil, err end
  local folder, name = path:match("^(.*)/([^/]+)%.lua$")
  if not folder then return nil, path .. ": a policy is a file NAME.lua" end
  local modules
  modules, err = modules_of(folder, source, {})
  if not modules then return nil, err end
  return { name = name, path = path, source = source, modules = modules }
end

--- Policy files by name; of several roots the first that has the name wins.
---@return table<string, string> paths
function policy.paths(lua_path)
  local paths = {}
  for _, root in ipairs(roots(lua_path)) do
    local dir = dirs.open(root .. "/policies")
    for _, file in ipairs(dir and dir:list() or {}) do
      local name = file:match("^([%a][%w_-]*)%.lua$")
      if name and not paths[name] then paths[name] = root .. "/policies/" .. file end
    end
    if dir then dir:close() end
  end
  return paths
end

---@param settings table policy_soft, policy_hard
function policy.new(settings, lua_path)
  return setmetatable({ workers = {}, lua_path = lua_path,
    limits = { soft = settings.policy_soft, hard = settings.policy_hard } }, Policies)
end

function Policies:close()
  for _, one in pairs(self.workers) do one:close() end
  self.workers = {}
end

--- Put one in the place of what has its name, from policy.read().
function Policies:put(found)
  if self.workers[found.name] then self.workers[found.name]:retire() end
  self.workers[found.name] = worker.new(found, self.limits)
end

--- The worker of a policy. Suspends while it loads.
---@return exhost.PolicyWorker? worker, string? err, string? code
function Policies:get(name)
  local one = self.workers[name]
  if not one then
    local path = policy.paths(self.lua_path)[name]
    if not path then
      return nil, string.format("no policy %s", text.quote(name)), "not_found"
    end
    local found, err = policy.read(path)
    if not found then return nil, err, "denied" end
    one = worker.new(found, self.limits)
    self.workers[name] = one
  end
  local about, err, code = one:load()
  if not about then return nil, err, code end
  return one
end

--- Every policy with what it says of itself, by name; they load beside each other. Suspends.
---@return { name: string, path: string, about: table?, error: string? }[]
function Policies:list()
  local names, loads, list = {}, {}, {}
  local paths = policy.paths(self.lua_path)
  for name in pairs(paths) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    loads[i] = function() return self:get(name) end
  end
  for i, result in ipairs(async.all(loads)) do
    local name, one, err = names[i], result[1], result[2]
    list[i] = { name = name, path = paths[name], about = one and one.about, error = err }
  end
  return list
end

--- Load new versions of files that have changed; a bad one leaves the old in place.
--- Suspends.
---@return { name: string, from: string?, to: string?, error: string? }[] changes
function Policies:reload()
  local changes = {}
  for name, path in pairs(policy.paths(self.lua_path)) do
    local old, found, err = self.workers[name], policy.read(path)
    local changed = found and not (old and old.policy.source == found.source)
    if found and changed then
      local fresh = worker.new(found, self.limits)
      local about
      about, err = fresh:load()
      if about then
        fresh.before = old and old.policy
        self.workers[name] = fresh
        changes[#changes + 1] = { name = name, to = about.version,
          from = old and old.about and old.about.version }
        if old then old:retire() end
      else
        fresh:close()
      end
    end
    if err then changes[#changes + 1] = { name = name, error = err } end
  end
  table.sort(changes, function(a, b) return a.name < b.name end)
  return changes
end

--- Back to the version before the last reload. Suspends.
---@return table? about, string? err, string? code
function Policies:rollback(name)
  local one = self.workers[name]
  if not one or not one.before then
    return nil, string.format("policy %s: there is no version before this one", name), "not_found"
  end
  local older = worker.new(one.before, self.limits)
  local about, err, code = older:load()
  if not about then return nil, err, code end
  self.workers[name] = older
  one:retire()
  return about
end

--- Which policy serves which of the job's GPUs.
local function by_policy(self, gpus)
  local groups, order = {}, {}
  for _, gpu in ipairs(gpus) do
    local name = gpu.policy
    if not groups[name] then
      groups[name] = {}
      order[#order + 1] = name
    end
    table.insert(groups[name], gpu)
  end
  if #order == 0 and (self.workers[NO_GPU] or policy.paths(self.lua_path)[NO_GPU]) then
    groups[NO_GPU], order[1] = {}, NO_GPU
  end
  return groups, order
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do if not same(value, b[key]) then return false end end
  for key in pairs(b) do if a[key] == nil then return false end end
  return true
end

--- Put one policy's assignments to those of the others.
local function merge(into, log)
  for _, entry in ipairs(log) do
    local field, before = entry.field, into[entry.field]
    if not before then
      local value = entry.value
      if entry.list then value = { unpack(value) } end
      into[field] = { value = value, list = entry.list, from = { entry.at } }
    elseif before.list and entry.list then
      for _, item in ipairs(entry.value) do table.insert(before.value, item) end
      table.insert(before.from, entry.at)
    elseif not same(before.value, entry.value) then
      return nil, string.format("%s is set to two different values, at %s and at %s", field,
        before.from[1], entry.at)
    end
  end
  return true
end

--- What the policies decide for a job. Suspends.
---@param request table normalised
---@param gpus table[] granted, each with `policy`: the name of its vendor's
---@param host table what the inventory says
---@return { config: table, env: table, policies: table[] }? decision fields as
--- { value, from = { "file:line", … } }
---@return string? err, string? code "policy", "denied"
function Policies:decide(request, gpus, host)
  local groups, order = by_policy(self, gpus)
  local decision = { config = {}, env = {}, policies = {} }
  for _, name in ipairs(order) do
    local one, err, code = self:get(name)
    if not one then return nil, err, code end
    local asked = redact.for_policy(request)
    asked.gpus = groups[name]
    local log
    log, err, code = one:call(asked, host)
    if not log then return nil, err, code end
    local version = (one.about or one.last).version -- its process may have ended since
    if log.refused then
      return nil, string.format("policy %s version %s refuses: %s", name, version,
        log.refused), "denied"
    end
    for _, part in ipairs { "config", "env" } do
      local ok, why = merge(decision[part], log[part] or {})
      if not ok then return nil, "policies: " .. why, "policy" end
    end
    table.insert(decision.policies, { name = name, version = version })
  end
  return decision
end

return policy
