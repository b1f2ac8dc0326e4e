--- Out of memory by the kernel's own word, when the engine's is missing.

local async = require "exhost.async"
local command = require "support.command"
local engine = require "support.engine"
local scratch = require "support.scratch"
local system = require "exhost.system"

local ROOT = system.real_path "/sys/fs/cgroup/memory" or "/sys/fs/cgroup"
local FIRST = ROOT:find "memory$"
local LIMIT = FIRST and "memory.limit_in_bytes" or "memory.max"
local EATS = "x=$(head -c 64000000 /dev/zero | tr '\\0' x)"

local function may_make_groups()
  return os.execute(string.format("mkdir %s/exhost-spec 2>/dev/null && [ -e %s/exhost-spec/%s ]; "
    .. "code=$?; rmdir %s/exhost-spec 2>/dev/null; exit $code", ROOT, ROOT, LIMIT, ROOT)) == 0
end

local function sh(...)
  return command.run("/bin/sh", { "sh", "-c", string.format(...) })
end

--- Make the control group of a container, where engines have it.
local function make_group(id, place)
  local group = ROOT .. "/" .. place:format(id)
  local above = group:match("^(.*)/")
  local delegate = FIRST and "true" or "echo +memory >" .. above .. "/cgroup.subtree_control"
  assert(sh("mkdir -p %s; %s; mkdir %s && echo 16777216 >%s/%s", above, delegate, group, group,
    LIMIT).code == 0)
  return group
end

local function run_in(group, job)
  sh("(echo 0 >%s/cgroup.procs; exec sh -c \"%s\")", group, job)
  sh("rmdir %s; rmdir %s 2>/dev/null", group, group:match("^(.*)/"))
end

--- A container that the engine says ended with 137: what the exit file says. `job` runs in its
--- group meanwhile; `early`: before the host says go.
local function ended(dir, path, place, job, early)
  local id = system.random_hex(32)
  local e = engine.fake(path, { script = { { sleep = 60000 } } })
  local speaking
  if early then
    dir:mkfifo("control")
    speaking = engine.speak(dir, e:items(id))
    engine.expect(speaking, "ready")
    local group = make_group(id, place)
    async.sleep(0.2) -- an engine takes as long to start something in it
    run_in(group, job)
    e:start(id)
    speaking.channel:send("go")
    engine.expect(speaking, "started 0")
  else
    local group = make_group(id, place)
    speaking = e:run(dir, id)
    run_in(group, job)
  end
  e:call("POST", "/containers/" .. id .. "/kill?signal=KILL")
  local exit = engine.finish(speaking, dir)
  e:quit()
  return exit
end

local function it_can(text, body)
  it(text, scratch.with(function(dir, path)
    if not may_make_groups() then return pending "no control group can be made here" end
    body(dir, path)
  end))
end

describe("a container's end by want of memory", function()
  for _, place in ipairs { "docker/%s", "system.slice/docker-%s.scope" } do
    it_can("is known though the engine has lost it: " .. place, function(dir, path)
      local exit = ended(dir, path, place, EATS)
      assert.same({ "137", "1", "cgroup" }, { exit.code, exit.oom_killed, exit.oom_by })
    end)
  end

  it_can("is known though it came before the host's go", function(dir, path)
    local exit = ended(dir, path, "docker/%s", EATS, true)
    assert.same({ "137", "1", "cgroup" }, { exit.code, exit.oom_killed, exit.oom_by })
  end)

  it_can("is not seen in the end of its control group alone", function(dir, path)
    local exit = ended(dir, path, "docker/%s", "true")
    assert.same({ "137" }, { exit.code, exit.oom_killed, exit.oom_by })
  end)

  it("may be known by the engine alone", scratch.with(function(dir, path)
    local e = engine.fake(path, { script = { { sleep = 50 }, { oom = true, exit = 137 } } })
    local exit = engine.finish(e:run(dir, "x"), dir)
    assert.same({ "1", "engine" }, { exit.oom_killed, exit.oom_by })
    e:quit()
  end))
end)
