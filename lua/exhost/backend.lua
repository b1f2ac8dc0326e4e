--- Finding, loading and checking backends (design.md section 6). Names none.

local build = require "exhost.build"
local dirs = require "exhost.dir"
local shape = require "exhost.shape"
local sorted_keys = require "exhost.sorted_keys"
local system = require "exhost.system"

local backend = {}

--- What a backend's init.lua returns. Every function may suspend and answers a value, or
--- nil, message, code. Those of `open` are called as methods of what it returned.
---@class exhost.Backend
---@field name string
---@field capabilities table<string, true> optional verbs it has: pause, exec, ...
---@field open fun(config: table): exhost.Backend
---@field facts? fun(self, request, starting: boolean?): table?, string?, string? what `plan`
--- needs to know; `starting`: not what the start finds out by itself
---@field plan fun(self, request, facts): table?, string?, string? the body; pure
---@field check fun(self, body, ceiling): true?, string?, string?
---@field origins? exhost.Origins which part of a request sets what of its body, for `plan`
---@field grants? fun(self, body, ceiling): table<string, string[]> by field the settings of the
--- ceiling that let it through
---@field create fun(self, execution): string?, string?, string? a handle
---@field source fun(self, execution): table?, string?, string? shim spec items
---@field start? fun(self, execution): true?, string?, string? the engine's start
---@field reattach? fun(self, execution, had: { stdout: integer, stderr: integer }): table? shim
--- spec items for a workload that outlived its shim; `had`: bytes of output that are kept
---@field adoptable? fun(self): table[]?, string?, string? what somebody else runs there: adopt.lua
---@field cleanup? fun(self): true?, string?, string? what carries our mark in the engine
---@field environment? string[] variables that tell it of its engine: a command whose own are
--- others than those of the host that serves does the work itself
---@field inherits_limits? boolean a job begins with the limits of who starts it
---@field stop_signal? integer what `stop` says when no signal is asked for; default SIGTERM,
--- 0: the backend's own
---@field conclude fun(self, execution, exit: table?): table?, string?, string? evidence
---@field remove fun(self, handle: string, execution): true?, string?, string? idempotent
---@field list fun(self): table[]?, string?, string?
local CONTRACT = {
  name = "string", capabilities = "table", open = "function", plan = "function",
  check = "function", create = "function", source = "function", conclude = "function",
  remove = "function", list = "function", facts = "function?", start = "function?",
  stop = "function?", pause = "function?", resume = "function?", signal = "function?",
  apply_policies = "function?", grants = "function?", origins = "table?",
  reattach = "function?", adoptable = "function?", cleanup = "function?", stop_signal = "number?",
  exec = "function?", stats = "function?", update = "function?",
  info = "function?", net_info = "function?",
  environment = "table?", inherits_limits = "boolean?",
  health = "function?", inventory = "function?", describe_step = "function?",
  params = "table",
}

local function is_name(name)
  return type(name) == "string" and name:find("^[a-z][a-z0-9_-]*$") ~= nil
end

--- Folders that hold backends/, first match wins.
---@param lua_path string? extra roots, separated by ":"
---@return string[]
function backend.roots(lua_path)
  local roots = {}
  for root in (lua_path or ""):gmatch("[^:]+") do roots[#roots + 1] = root end
  roots[#roots + 1] = "/etc/exhost"
  roots[#roots + 1] = build.share
  return roots
end

local function exists(path)
  local folder, name = path:match("^(.*)/([^/]+)$")
  local dir = dirs.open(folder)
  local st = dir and dir:stat(name)
  if dir then dir:close() end
  return st ~= nil
end

--- Load a file that only root or we could have written.
local function load_trusted(path)
  local ok, why = system.trusted(path)
  if not ok then
    return nil, string.format("%s is not loaded: %s (make it owned by root or you, mode go-w)",
      path, why), "denied"
  end
  local chunk, err = loadfile(path)
  if not chunk then return nil, err, "invalid" end
  return chunk
end

--- Parts of a backend require each other as "backends.NAME.PART".
local function searcher(roots)
  return function(module)
    local name, part = module:match("^backends%.([a-z0-9_-]+)%.([%w_.]+)$")
    if not name then return nil end
    for _, root in ipairs(roots) do
      local path = root .. "/backends/" .. name .. "/" .. part:gsub("%.", "/") .. ".lua"
      if exists(path) then
        local chunk, err = load_trusted(path)
        if not chunk then error(err, 0) end
        return chunk
      end
    end
    return "\n\tno such part of backend " .. name
  end
end

local installed = {}

local function install_searcher(roots)
  local key = table.concat(roots, ":")
  if installed[key] then return end
  installed[key] = true
  table.insert(package.loaders, searcher(roots))
end

--- Load one file as a backend and check its shape.
---@return exhost.Backend? module, string? err, string? code
function backend.load_file(name, path)
  local chunk, err, code = load_trusted(path)
  if not chunk then return nil, string.format("load backend %s: %s", name, err), code end
  local ok, value = pcall(chunk, name)
  if not ok then return nil, string.format("load backend %s: %s", name, value), "internal" end
  local checked, why = shape.check("backend " .. name, value, CONTRACT)
  if not checked then return nil, why, "invalid" end
  return checked
end

--- Find a backend by its name, without loading it.
---@param name string
---@param lua_path string?
---@return string? path of its init.lua, string? err, string? code "invalid", "not_found"
function backend.find(name, lua_path)
  if not is_name(name) then
    return nil, string.format("backend %q: not a name", tostring(name)), "invalid"
  end
  for _, root in ipairs(backend.roots(lua_path)) do
    local path = root .. "/backends/" .. name .. "/init.lua"
    if exists(path) then return path end
  end
  return nil, string.format("no backend %q (have: %s)", name,
    table.concat(backend.names(lua_path), ", ")), "not_found"
end

--- Settings of a backend that is not there are a misspelt backend's, and would not be missed.
---@param own table<string, table>? `backends` of the settings
---@return true? ok, string? err, string? code "invalid"
function backend.are_known(own, lua_path)
  for _, name in ipairs(sorted_keys(own)) do
    local path, err = backend.find(name, lua_path)
    if not path then return nil, "settings: backends: " .. err, "invalid" end
  end
  return true
end

--- Find and load a backend by its name.
---@param name string
---@param lua_path string?
---@return exhost.Backend? module, string? err, string? code
function backend.load(name, lua_path)
  local path, err, code = backend.find(name, lua_path)
  if not path then return nil, err, code end
  install_searcher(backend.roots(lua_path))
  return backend.load_file(name, path)
end

local function command_files(root, name)
  local dir = dirs.open(root .. "/backends/" .. name .. "/cli")
  local list = {}
  for _, file in ipairs(dir and dir:list() or {}) do
    list[#list + 1] = file:match("^([a-z][a-z0-9_-]*)%.lua$")
  end
  if dir then dir:close() end
  table.sort(list)
  return list
end

--- The commands that backends bring along: NAME-FILE for each backends/NAME/cli/FILE.lua.
---@param lua_path string?
---@return string[] names, table<string, string> modules by name
function backend.commands(lua_path)
  local names, modules = {}, {}
  local roots = backend.roots(lua_path)
  for _, name in ipairs(backend.names(lua_path)) do
    for _, root in ipairs(roots) do
      if exists(root .. "/backends/" .. name .. "/init.lua") then
        for _, file in ipairs(command_files(root, name)) do
          names[#names + 1] = name .. "-" .. file
          modules[name .. "-" .. file] = "backends." .. name .. ".cli." .. file
        end
        break
      end
    end
  end
  install_searcher(roots)
  return names, modules
end

--- Names of all backends that can be found.
---@return string[]
function backend.names(lua_path)
  local seen, names = {}, {}
  for _, root in ipairs(backend.roots(lua_path)) do
    local dir = dirs.open(root .. "/backends")
    for _, name in ipairs(dir and dir:list() or {}) do
      local path = root .. "/backends/" .. name .. "/init.lua"
      if is_name(name) and not seen[name] and exists(path) then
        seen[name] = true
        names[#names + 1] = name
      end
    end
    if dir then dir:close() end
  end
  table.sort(names)
  return names
end

return backend
