--- Eight hosts that do the same at the same time. EXHOST_RACES is how many rounds.

local assert = require "luassert"
local files = require "crash.files"
local processes = require "crash.processes"
local world = require "crash.world"

local HOSTS = 8
local ROUNDS = tonumber(os.getenv("EXHOST_RACES") or 10)

--- Let hosts do their verbs, all beginning at once, and wait for their ends. Suspends.
---@param verbs fun(i: integer): table
local function race(w, verbs)
  local racing, barrier = {}, w.path .. "/go"
  for i = 1, HOSTS do racing[i] = w:host { barrier = barrier, verbs = verbs(i) } end
  for _, host in ipairs(racing) do host:expect "waits" end
  files.write(barrier, "")
  for _, host in ipairs(racing) do
    host:wait()
    assert(host:told "closed", host.text)
  end
  os.remove(barrier)
  return racing
end

--- What all of them told of a verb is one and the same.
local function check_same(racing, verb)
  local first = assert(racing[1]:told(verb .. " true"), racing[1].text)
  for _, host in ipairs(racing) do assert.equal(first, host:told(verb .. " true"), host.text) end
end

local function rounds(name, body)
  for _ = 1, ROUNDS do it(name, world.with(body)) end
end

describe("eight hosts", function()
  rounds("start one id, and one of them does", function(w)
    local racing = race(w, function() return { { "start", w:request() } } end)
    local started = 0
    for _, host in ipairs(racing) do
      if host:told "start true" then
        started = started + 1
      else
        assert(host:told "start false already_started", host.text)
      end
    end
    assert.same({ 1, 1 }, { started, w:await_run() })
    w:check()
  end)

  rounds("run one short job, which runs once", function(w)
    local racing = race(w, function()
      return { { "start", w:request("exit 0") }, { "result", w.id } }
    end)
    local started = 0
    for _, host in ipairs(racing) do
      if host:told "start true" then
        started = started + 1
      else
        local why = host:told "start false"
        assert(why:find "already_started" or why:find "already_completed", host.text)
      end
    end
    assert.equal(1, started)
    check_same(racing, "result")
    w:check()
  end)

  rounds("start one job under their own ids, and all get the same", function(w)
    local racing = race(w, function(i)
      local id = w.id .. "-" .. i
      return { { "start", w:request("exit 0", { execution_id = id }) }, { "result", id } }
    end)
    check_same(racing, "result")
    w.id = assert(racing[1]:told("result true"):match('"execution_id":"([^"]+)"'))
    assert.same({ 1, "reason exited" },
      { w:run_count(), "reason " .. w:check().reason })
  end)

  rounds("cancel, conclude and remove, and all read one result", function(w)
    local ex = w:open()
    assert(ex:start(w:request()))
    local racing = race(w, function(i)
      return { { i % 2 == 0 and "cancel" or "recover", w.id }, { "remove", w.id, 1 },
        { "result", w.id } }
    end)
    check_same(racing, "remove")
    check_same(racing, "result")
    assert.equal("cancelled", assert(ex:wait(w.id)).reason)
    ex:close()
    w:check()
  end)

  rounds("purge what others cancel and wait for, and nothing is left", function(w)
    local ex = w:open()
    assert(ex:start(w:request()))
    ex:close()
    local verbs = { "purge", "cancel", "wait" }
    local racing = race(w, function(i) return { { verbs[i % 3 + 1], w.id }, { "recover" } } end)
    for i, host in ipairs(racing) do
      local verb = verbs[i % 3 + 1]
      local code = (host:told(verb .. " false") or ""):match "^%S+"
      assert(host:told(verb .. " true") or code == "not_found" or code == "already_completed",
        host.text)
    end
    w:check_gone()
  end)

  rounds("purge what has ended, and nothing is left", function(w)
    local ex = w:open()
    assert(ex:run(w:request("exit 0")))
    ex:close()
    local racing = race(w, function() return { { "purge", w.id }, { "recover" } } end)
    for _, host in ipairs(racing) do
      assert(host:told "purge true" or host:told "purge false not_found", host.text)
      assert(host:told "recover true", host.text)
    end
    w:check_gone()
  end)
end)

describe("a cancel by another host", function()
  -- Stop the starting host at each step, and let it go on once the cancel is on disk.
  for _, step in ipairs { "made", "claimed", "spawned", "ready", "starting", "go sent",
    "running" } do
    it("reaches a start at step: " .. step, world.with(function(w)
      local host = w:host { step = step, verbs = { { "start", w:request() }, { "wait", w.id } } }
      host:await_step(step)
      local ex = w:open()
      assert(ex:cancel(w.id, { wait = false }))
      host:signal(processes.CONT)
      host:wait()
      local told = host:told "start false" or host:told "wait true"
      assert(told and told:find "^cancelled", host.text)
      ex:close()
      w:check()
    end))
  end
end)
