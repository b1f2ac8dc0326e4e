--- A host in a process of its own, for specs that stop or kill it at a named step.
--
--   exhost lua spec/crash/host.lua '{"state_dir":…, "verbs":[["start",{…}], ["wait","ID"]]}'
--
-- Further fields: step (stop there), act (stop before the N-th one), die (not stop but be
-- killed), no_cgroups, settings, barrier (a path to wait for).
--
-- The product knows nothing of this: here functions of its modules are wrapped so that they
-- tell the step, and then wait (SIGSTOP) or die (SIGKILL). What happens is told on stdout, a
-- line each: "at STEP", "VERB true VALUE" or "VERB false CODE MESSAGE".

package.path = "./spec/?.lua;" .. package.path

local async = require "exhost.async"
local conclude = require "exhost.conclude"
local core_cgroup = require "exhost.cgroup_core"
local executor = require "exhost.executor"
local ffi = require "ffi"
local hosts = require "crash.hosts"
local json = require "exhost.json"
local process = require "exhost.process_core"
local shim = require "exhost.shim"
local state = require "exhost.state"
local system = require "exhost.system"

local SIGKILL, SIGSTOP = 9, 19

ffi.cdef "int raise(int sig);"

local config = assert(json.decode(arg[1]))

local function tell(...)
  local words = { ... }
  for i = 1, #words do words[i] = tostring(words[i]) end
  system.write(1, table.concat(words, " ") .. "\n")
end

--- By raise, which is a signal to this thread: it takes no further step.
local function stop(what)
  tell("at", what)
  ffi.C.raise(config.die and SIGKILL or SIGSTOP)
end

local function step(name)
  if config.step == name then
    config.step = nil
    stop(name)
  end
end

local function at(name)
  return function() step(name) end
end

--- Call `before`, then the function that is there now, then `after` with its first answer.
local function wrap(owner, name, before, after)
  local original = owner[name]
  local function finish(...)
    if after then after((...)) end
    return ...
  end
  owner[name] = function(...)
    if before then before(...) end
    return finish(original(...))
  end
end

--- The methods of a userdata's type: its metatable is hidden from scripts, not from debug.
local function methods(object)
  return debug.getmetatable(object).__index
end

--- Everything that changes the world counts as an act. Answers a function for others.
local function count_acts(dir)
  local done = 0
  local function act(name)
    return function()
      done = done + 1
      if config.act == done then stop("act " .. done .. " " .. name) end
    end
  end
  for _, name in ipairs { "mkdir", "mkfifo", "create", "write", "rename", "rename_new",
    "link_once", "link_synced", "sync", "append", "unlink", "remove_tree", "lock",
    "fifo_write" } do
    wrap(methods(dir), name, act(name))
  end
  wrap(process, "spawn", act "spawn")
  for _, name in ipairs { "make", "write", "kill", "remove" } do
    wrap(core_cgroup, name, act("cgroup " .. name))
  end
  return act
end

local PHASES = { starting = true, running = true, removed = true }

--- Phases are named once they are on disk.
local function name_phases()
  local original = state.write
  state.write = function(dir, record, ...)
    local ok, err, code = original(dir, record, ...)
    if PHASES[record.phase] then step(record.phase) end
    return ok, err, code
  end
end

local function name_steps(ex)
  local State = getmetatable(ex.state).__index
  local act = count_acts(ex.state.root)
  name_phases()
  wrap(State, "create", nil, function(dir) if dir then step "made" end end)
  wrap(State, "claim_job", nil, at "claimed")
  wrap(State, "discard", at "removing")
  wrap(process, "spawn", nil, at "spawned")
  wrap(shim, "control", at "cancel noted", at "stopping")
  wrap(conclude, "run", at "exit written", at "result linked")
  wrap(methods(ex.state.root), "remove_tree", at "in the trash")
  wrap(shim, "start", nil, function(ready)
    if not ready then return end
    step "ready"
    ready.go = function(self)
      act "go" ()
      self.answer = function(this)
        step "go sent"
        this.answer = nil
        return this:answer()
      end
      self.go = nil
      return self:go()
    end
  end)
end

--- Wait for a file, so that several hosts begin at once.
local function barrier(path)
  tell "waits"
  local file
  repeat
    file = io.open(path)
    if not file then async.sleep(0.0005) end
  until file
  file:close()
end

local VERBS = {
  purge = function(ex, id) return ex:remove(id, 1, { purge = true }) end,
  result = function(ex, id)
    local r, err, code = ex:wait(id)
    if not r then return nil, err, code end
    return json.encode(r)
  end,
}

local function call(ex, verb, ...)
  return (VERBS[verb] or ex[verb])(ex, ...)
end

local ex = assert(executor.open { id = "spec", state_dir = config.state_dir,
  settings = config.settings })
assert(ex:backend("process")) -- so that finding control groups is not one of the acts
if config.no_cgroups then hosts.forget_cgroups(ex) end
name_steps(ex)
if config.barrier then barrier(config.barrier) end
for _, verb in ipairs(config.verbs) do
  local value, err, code = call(ex, unpack(verb))
  if value then
    tell(verb[1], true, type(value) == "table" and (value.reason or #value) or value)
  else
    tell(verb[1], false, code, err)
  end
end
ex:close()
tell "closed"
