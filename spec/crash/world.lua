--- One state folder and one execution in it, and the look at them after a crash.

local assert = require "luassert"
local executor = require "exhost.executor"
local core = require "exhost.cgroup_core"
local dirs = require "exhost.dir"
local files = require "crash.files"
local hosts = require "crash.hosts"
local loop = require "exhost.loop"
local processes = require "crash.processes"
local system = require "exhost.system"
local task = require "conformance.task"

local LINES, LOCK_WAIT_SECONDS = 300, 5

-- What only ends when somebody ends it: a process in a session of its own.
local STRAY = "setsid sleep 300 >/dev/null 2>&1 &"
local COUNT = "i=0; while [ $i -lt " .. LINES .. " ]; do i=$((i+1)); echo line $i; done"

---@class crash.World
local World = {}
World.__index = World

local count = 0

local function new(options)
  count = count + 1
  local id = string.format("k%d-%s", count, system.random_hex(4))
  local path = files.folder()
  return setmetatable({ id = id, path = path, options = options or {}, runs = path .. ".runs",
    mark = "EXHOST_SPEC_MARK=" .. id .. ";" }, World)
end

--- A request that runs this script.
function World:script(text, more)
  local request = {
    job_id = self.id .. "-job", execution_id = self.id, stop_grace = 1,
    engine_spec = { type = "process", params = {
      cmd = { "/bin/sh", "-c", text }, environment = { self.mark } } },
  }
  for key, value in pairs(more or {}) do request[key] = value end
  return request
end

--- A request whose workload tells that it ran, leaves a stray, writes numbered lines and
--- then does what `tail` says.
function World:request(tail, more)
  return self:script(string.format("echo $$ >> %s; %s %s; %s", self.runs, STRAY, COUNT,
    tail or "sleep 30"), more)
end

function World:folder()
  return self.path .. "/spec/executions/" .. self.id
end

--- Start a host on this world's folder.
function World:host(config)
  config.state_dir, config.no_cgroups = self.path, self.options.no_cgroups
  return hosts.start(config)
end

--- Open an executor on this world's folder, in this process.
function World:open(settings)
  local ex = assert(executor.open { id = "spec", state_dir = self.path, settings = settings })
  if self.options.no_cgroups then hosts.forget_cgroups(ex) end
  return ex
end

--- How often the workload ran.
function World:run_count()
  local _, lines = (files.read(self.runs) or ""):gsub("\n", "")
  return lines
end

--- Wait until the workload has told that it runs. Suspends.
function World:await_run()
  files.eventually(function() return self:run_count() > 0 end)
  return self:run_count()
end

--- Lines 1, 2, 3 … without a gap and none twice; the last may be torn unless it is whole.
local function check_lines(bytes, whole)
  local expected = 0
  for line in bytes:gmatch("([^\n]*)\n") do
    expected = expected + 1
    if line ~= "line " .. expected then
      error(string.format("log line %d is %q", expected, line), 0)
    end
  end
  local rest, following = bytes:match("[^\n]*$"), "line " .. expected + 1
  assert(following:sub(1, #rest) == rest, "torn end of the log: " .. rest)
  if whole then assert.equal(LINES, expected) end
end

local function await_none(what, find)
  local left
  files.eventually(function()
    left = find()
    return #left == 0
  end, 4)
  assert(#left == 0, what .. " are left: " .. table.concat(left, " "))
end

--- Nothing of the execution is left anywhere but what is told of it.
function World:check_gone()
  for _, name in ipairs { "executions", "jobs", "aliases", "trash" } do
    local dir = assert(dirs.open(self.path .. "/spec/" .. name))
    local names = dir:list(true)
    dir:close()
    assert(#names == 0, name .. " still holds " .. table.concat(names, " "))
  end
  await_none("processes", function() return processes.marked(self.mark) end)
  await_none("shims", function() return processes.shims(self.path) end)
  await_none("control groups", function() return processes.cgroups(self.id) end)
end

--- Wait until it neither starts nor stops. What goes on is told to end, unless somebody
--- did so before the crash.
local function settle(self, ex)
  local status, _, code = ex:status(self.id)
  if code == "not_found" then return nil end
  assert(status, code)
  if status ~= "success" and status ~= "failed" and not files.read(self:folder() .. "/cancel") then
    local ok, err, why = ex:cancel(self.id, { grace = 1 })
    assert(ok or why == "already_completed" or why == "not_found", err)
  end
  local result, err, why = ex:wait(self.id, 10)
  if why == "not_found" then return nil end
  return assert(result, err)
end

local function check_result(self, ex, result)
  assert.equal(result.reason, assert(ex:wait(self.id)).reason)
  check_lines(result.stdout, result.reason == "exited" and result.exit_code == 0)
  assert.equal("", result.stderr)
  local _, _, code = ex:start(self:request("exit 0"))
  assert.equal("already_completed", code)
end

--- The look after a crash: a fresh host finds one result, or nothing and may start anew.
--- Suspends.
---@param purged boolean? the host may have removed what ran
---@return table? result nil when there is nothing
function World:check(purged)
  local ex = self:open()
  assert(ex:recover())
  assert.is_table(ex:list())
  local result = settle(self, ex)
  assert(self:run_count() <= 1, "the workload ran " .. self:run_count() .. " times")
  if result then
    check_result(self, ex, result)
  else
    assert(purged or self:run_count() == 0, "rolled back, and yet it ran")
    assert.equal(0, assert(ex:run(self:request("exit 0"))).exit_code)
  end
  local before = loop.now()
  assert(ex:remove(self.id, 2, { purge = true }))
  assert(loop.now() - before < LOCK_WAIT_SECONDS, "remove had to wait for a lock")
  assert(ex:recover())
  self:check_gone()
  ex:close()
  return result
end

--- End everything of this world. Suspends.
function World:stop()
  processes.kill(processes.shims(self.path))
  processes.kill(processes.marked(self.mark))
end

--- Forget it. Never fails.
function World:close()
  self:stop()
  for _, path in ipairs(processes.cgroups(self.id)) do core.remove(path) end
  files.remove_folder(self.path)
  os.remove(self.runs)
end

local world = {}

--- A spec's body with a world of its own. Whose a shim is only root can see.
---@param body fun(world: crash.World)
---@param options? { no_cgroups: boolean, shims: boolean }
function world.with(body, options)
  if options and options.shims and system.ids() ~= 0 then
    -- Busted gives it to spec files only, and another one to each block.
    return function() getfenv(body).pending "only root can see whose a shim is" end
  end
  return task(function()
    local self = new(options)
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, self)
    self:close()
    if not ok then error(err, 0) end
  end)
end

return world
