--- Ends that are not nice: what ignores TERM, what nobody supervises any more.

local assert = require "luassert"
local cgroup = require "exhost.cgroup"
local command = require "support.command"
local files = require "crash.files"
local json = require "exhost.json"
local loop = require "exhost.loop"
local processes = require "crash.processes"
local system = require "exhost.system"
local world = require "crash.world"

local IGNORING = "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 300' & "
  .. "echo up; while :; do sleep 0.05; done"

local function await_up(w)
  assert(files.eventually(function()
    return (files.read(w:folder() .. "/stdout.log") or "") == "up\n"
  end))
end

local HAS_CGROUPS = cgroup.find().version ~= 0

for _, no_cgroups in ipairs { false, true } do
  describe(no_cgroups and "without control groups" or "with control groups", function()
    local function with(body, shims)
      return world.with(body, { no_cgroups = no_cgroups, shims = shims })
    end

    it("what ignores TERM is killed after the grace, strays too", with(function(w)
      local ex = w:open()
      assert(ex:start(w:script(IGNORING)))
      await_up(w)
      local before = loop.now()
      assert(ex:cancel(w.id, { grace = 0.3 }))
      local took = loop.now() - before
      assert(took >= 0.3 and took < 5, took)
      local result = assert(ex:wait(w.id))
      assert.same({ 137, "cancelled", "up\n" },
        { result.exit_code, result.reason, result.stdout })
      assert(ex:remove(w.id, 1, { purge = true }))
      w:check_gone()
      ex:close()
    end))

    it("strays are ended with their job", with(function(w)
      local ex = w:open()
      local result = assert(ex:run(w:request("exit 0")))
      assert.same({ 0, 1 }, { result.exit_code, result.evidence.strays_killed })
      assert(ex:remove(w.id, 1, { purge = true }))
      w:check_gone()
      ex:close()
    end))

    it("strays of a dead shim are swept, and it is told how", with(function(w)
      local ex = w:open()
      assert(ex:start(w:script(IGNORING)))
      await_up(w)
      assert(files.eventually(function() return #processes.marked(w.mark) >= 3 end))
      processes.kill(processes.shims(w.path))
      local result = assert(ex:wait(w.id, 10))
      assert.equal("lost", result.reason)
      local swept = HAS_CGROUPS and not no_cgroups and "control group" or "environment of processes"
      assert.matches("^" .. swept, result.evidence.swept)
      assert.equal("failed", ex:status(w.id))
      assert(ex:remove(w.id, 1, { purge = true }))
      w:check_gone()
      ex:close()
    end, true))

    it("a host that lives sees the end of its shim", with(function(w)
      local host = w:host { verbs = { { "start", w:request() }, { "wait", w.id } } }
      host:expect "start true"
      processes.kill(processes.shims(w.path))
      assert.equal("lost", host:expect "wait true")
      host:wait()
      w:check()
    end, true))

    it("a pid that state names is nobody's to kill (C20a)", with(function(w)
      local other = command.start("/bin/sleep", { "sleep", "999" })
      local other_pid = other.process:pid()
      local host = w:host { verbs = { { "start", w:request() }, { "wait", w.id } } }
      host:expect "start true"
      local path = w:folder() .. "/state.json"
      assert(files.eventually(function() return files.read(path):find '"phase":"running"' end))
      local shims = processes.shims(w.path)
      host:kill()
      local children = processes.children(shims)
      processes.kill(shims)
      processes.kill(children)
      local record = json.decode(files.read(path))
      record.pid = other_pid
      files.write(path, json.encode(record))
      local ex = w:open()
      assert.equal("failed", ex:status(w.id))
      assert.equal("lost", assert(ex:wait(w.id)).reason)
      local _, _, code = ex:cancel(w.id)
      assert.equal("already_completed", code)
      assert(ex:remove(w.id))
      assert(ex:cleanup())
      assert(processes.is_alive(other_pid))
      other:signal(9)
      other:wait()
      assert(ex:remove(w.id, 1, { purge = true }))
      w:check_gone()
      ex:close()
    end, true))
  end)
end

describe("a host that is process 1", function()
  local SCRIPT = [[
    local dirs, executor = require "exhost.dir", require "exhost.executor"
    local ex = assert(executor.open { state_dir = arg[1] })
    for i = 1, 50 do
      local id = "j" .. i
      assert(ex:start { job_id = id, execution_id = id, engine_spec = { type = "process",
        params = { cmd = { "/bin/sh", "-c", "sleep .3 & exit 0" } } } })
    end
    for i = 1, 50 do assert(ex:wait("j" .. i).reason == "exited") end
    local deadline, left = require("exhost.loop").now() + 3, nil
    repeat
      require("exhost.async").sleep(0.01)
      left = 0
      for _, pid in ipairs(dirs.open("/proc"):list()) do
        local stat = pid:find "^%d+$" and io.open("/proc/" .. pid .. "/stat")
        if stat and stat:read("*a"):find "%) Z " then left = left + 1 end
        if stat then stat:close() end
      end
    until left == 0 or require("exhost.loop").now() > deadline
    ex:close()
    print("zombies", left)
  ]]

  it("leaves no zombies (C20b)", function()
    if system.ids() ~= 0 or os.execute("unshare -fp --mount-proc true 2>/dev/null") ~= 0 then
      return pending "only root can make pid namespaces"
    end
    world.with(function(w)
      files.write(w.path .. "/script.lua", SCRIPT)
      local ran = command.sh("exec unshare -fp --mount-proc $exhost lua $D/script.lua $D/state",
        { env = { D = w.path } })
      assert.same({ 0, "zombies\t0\n" }, { ran.code, ran.out }, ran.err)
    end)()
  end)
end)
