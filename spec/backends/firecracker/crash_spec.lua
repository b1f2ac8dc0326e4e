--- kill -9 of the host before each thing that it does to the world while it starts a machine in a
-- jail: a fresh host finds one that it ends, or nothing, and nothing is left.

local hosts = require "crash.hosts"
local executor = require "exhost.executor"
local files = require "crash.files"
local guest_image = require "support.guest_image"
local helper = require "conformance.helper"
local jails = require "support.jails"
local machines = require "support.machines"
local processes = require "crash.processes"
local scratch = require "support.scratch"
local shell = require "support.shell"

local JAILER = jails.possible() and jails.JAILER or ""
local MOST = 200 -- of the things that a start does

local function request(path, id)
  return { job_id = id, execution_id = id, stop_grace = 1, results_dir = path .. "/" .. id,
    inputs = { { source = path .. "/in", target = "/in", readonly = true } },
    outputs = { { source = "out", target = "/out" } },
    engine_spec = { type = "firecracker", params = { kernel_image = path .. "/kernel",
      initrd = path .. "/initrd", cmd = { "/bin/sh", "-c", "cat /in/a; sleep 300" } } } }
end

--- Nothing of it is anywhere, but what it wrote into its results.
local function check_gone(path, id)
  local state = path .. "/state/spec"
  assert.equal("", shell("ls -A " .. state .. "/executions " .. state .. "/jobs | grep " .. id))
  assert.equal("", shell("ls -A " .. path .. "/base"))
  assert.equal("", shell("ls " .. state .. "/jail-uids 2>/dev/null | grep -v lock"))
  assert(files.eventually(function() return machines.processes(id) == 0 end), "processes are left")
  assert(files.eventually(function() return #processes.shims(path .. "/state") == 0 end))
  assert(files.eventually(function() return #processes.cgroups(id) == 0 end), "cgroups are left")
  assert.equal("", shell("pgrep -f '[f]ake_firecracker.*" .. id .. "' || true"))
end

--- What a host does that finds this: go on with it, or begin anew.
local function recover(settings, path, id)
  local ex = assert(executor.open { id = "spec", state_dir = path .. "/state", settings = settings,
    backend = "firecracker" })
  assert(ex:recover())
  local found = ex:status(id) ~= nil
  if found then
    -- Where nothing had begun its supervisor leaves, at some moment of this.
    local ok, err, code = ex:cancel(id, { grace = 0 })
    assert(ok or code == "already_completed" or code == "not_found", err)
    local r, why, kind = ex:wait(id, 10)
    found = kind ~= "not_found"
    assert(r or not found, why)
    assert.is_true(not r or r.reason == "cancelled" or r.reason == "lost")
    if r then assert(ex:remove(id, 2, { purge = true })) end
  end
  assert(ex:cleanup())
  ex:close()
  return found
end

--- body(settings, path) with what a request needs.
local function with(body)
  return scratch.with(function(dir, path)
    assert(dir:write("kernel", guest_image.kernel()))
    assert(dir:write("initrd", guest_image.initrd()))
    assert(os.execute("cd " .. path .. " && mkdir in && echo a >in/a && mkdir -m 700 base") == 0)
    body({ backends = { firecracker = { binary = machines.BINARY, jailer = JAILER,
      jail_base = path .. "/base" } } }, path)
  end)
end

local function start(settings, path, id, act)
  return hosts.start { state_dir = path .. "/state", settings = settings, act = act, die = true,
    step = not act and "running" or nil, verbs = { { "start", request(path, id) } } }
end

describe("kill -9 of the host that starts a machine in a jail", function()
  if not machines.possible() then
    pending "needs root, namespaces and busybox"
    return
  end

  it("leaves nothing, before whatever it does", with(function(settings, path)
    local seen = { [true] = 0, [false] = 0 }
    for act = 1, MOST do
      local id = "k" .. act
      local host = start(settings, path, id, act)
      host:wait()
      local done = host:told "start true"
      assert.is_nil(host:told "start false", host.text)
      local found = recover(settings, path, id)
      seen[found] = seen[found] + 1
      check_gone(path, id)
      if done then
        assert.is_true(found)
        break
      end
    end
    -- Most of it is before the machine runs, and some after.
    assert.is_true(seen[false] > 20 and seen[true] > 1 and seen[false] + seen[true] < MOST,
      seen[false] .. " were rolled back, " .. seen[true] .. " went on")
  end))

  it("stops no machine that runs: another one has its logs, exec, end and outputs", with(
    function(settings, path)
      start(settings, path, "kept-1", nil):wait()
      local ex = assert(executor.open { id = "spec", state_dir = path .. "/state",
        settings = settings, backend = "firecracker" })
      assert(ex:recover())
      assert.equal("running", ex:status "kept-1")
      assert.equal("kept-1", ex:find "kept-1")
      local told = assert(ex:exec("kept-1", { "/bin/sh", "-c", "echo b >/out/b; cat /in/a" }))
      assert.equal("a\n", told.stdout)
      helper.wait_for_output(ex, "kept-1", "a\n")
      local stream = assert(ex:get_log_stream("kept-1", { follow = true }))
      assert(ex:cancel "kept-1")
      assert.equal("a\n", helper.read(stream))
      local r = assert(ex:wait "kept-1")
      assert.same({ "cancelled", 15, "a\n", { files = 1, bytes = 2 } },
        { r.reason, r.signal, r.stdout, r.evidence.outputs.out })
      assert(ex:remove("kept-1", 2, { purge = true }))
      ex:close()
      check_gone(path, "kept-1")
    end))
end)
