--- kill -9 of the host, the shim, the child, and all of them, at each named step of an
--- execution's life.

local assert = require "luassert"
local processes = require "crash.processes"
local world = require "crash.world"

-- The steps in their order: the host's last verb, who is there to be killed, and what a
-- fresh host finds: what was begun, nothing, or (`either`) what the moment makes it.
local STEPS = {
  { "made", "start", nothing = "host all" },
  { "claimed", "start", nothing = "host all" },
  { "spawned", "start", there = "shim", nothing = "host shim all" },
  { "ready", "start", there = "shim child", nothing = "host shim child all" },
  { "starting", "start", there = "shim child", nothing = "host shim child" },
  { "go sent", "start", there = "shim child", either = "child" }, -- it may still be parked
  { "running", "start", there = "shim child" },
  { "cancel noted", "cancel", there = "shim child" },
  { "stopping", "cancel", there = "shim child" },
  { "exit written", "wait" },
  { "result linked", "wait" },
  { "removed", "remove" },
  { "removing", "purge" },
  { "in the trash", "purge", nothing = "host all" },
}

--- The verbs of a life up to one of them.
local function life(w, last)
  local verbs = {}
  for _, verb in ipairs {
    { "start", w:request() }, { "cancel", w.id, { grace = 1 } }, { "wait", w.id },
    { "remove", w.id }, { "purge", w.id },
  } do
    verbs[#verbs + 1] = verb
    if verb[1] == last then return verbs end
  end
end

local function go_on(host)
  host:signal(processes.CONT)
  host:wait()
end

local VICTIMS = {
  host = function(host) host:kill() end,
  shim = function(host, w)
    processes.kill(processes.shims(w.path))
    go_on(host)
  end,
  child = function(host, w)
    processes.kill(processes.children(processes.shims(w.path)))
    go_on(host)
  end,
  all = function(host, w)
    local shims = processes.shims(w.path)
    local children = processes.children(shims)
    processes.kill(shims) -- first, or it would see that the host is gone
    processes.kill(children)
    host:kill()
  end,
}

for _, victim in ipairs { "host", "shim", "child", "all" } do
  describe("kill -9 of " .. victim, function()
    for _, entry in ipairs(STEPS) do
      local step, verb = entry[1], entry[2]
      local everywhere = victim == "host" or victim == "all"
      if everywhere or (entry.there or ""):find(victim) then
        it("at step: " .. step, world.with(function(w)
          local host = w:host { step = step, verbs = life(w, verb) }
          host:await_step(step)
          VICTIMS[victim](host, w)
          local result = w:check(verb == "purge")
          local expected = (entry.nothing or ""):find(victim) and "nothing" or "a result"
          local found = result and "a result" or "nothing"
          if entry.either == victim then
            assert.is_nil(host.text:find("internal", 1, true), host.text)
          else
            assert.equal(expected, found, host.text)
          end
        end, { shims = victim ~= "host" }))
      end
    end
  end)
end
