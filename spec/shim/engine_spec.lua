--- The shim on containers of a real engine.

local async = require "exhost.async"
local engine = require "support.engine"
local scratch = require "support.scratch"
local shim = require "exhost.shim"

local SOCKET = os.getenv("EXHOST_DOCKER_SOCKET")
local wait_until = scratch.wait_until

--- A spec with an engine: its containers are removed afterwards.
local function with(body)
  if not SOCKET then
    return function() pending("EXHOST_DOCKER_SOCKET is not set") end
  end
  return scratch.with(function(dir, path)
    local e = engine.at(SOCKET)
    local ok, err = pcall(body, e, dir, path)
    engine.end_shims()
    e:remove_all()
    if not ok then error(err, 0) end
  end)
end

describe("a container's shim", function()
  it("attaches, is ready, and writes logs and exit", with(function(e, dir)
    local name = e:create("echo out; echo err >&2; exit 3")
    local speaking = e:run(dir, name)
    local exit = engine.finish(speaking, dir)
    assert.same({ "3", "1", "out\n", "err\n", "4", "4" }, { exit.code, exit.engine,
      dir:read("stdout.log"), dir:read("stderr.log"), exit.stdout_bytes, exit.stderr_bytes })
    assert.matches("^%d+%-%d+%-%d+T", exit.engine_started_at)
    assert.matches("^%d+%-%d+%-%d+T", exit.engine_finished_at)
    assert.is_nil(exit.signal or exit.never_ran or exit.gaps or exit.pid or exit.bad_control)
  end))

  it("takes a terminal's output for stdout", with(function(e, dir)
    local name = e:create("echo out; echo err >&2", { Tty = true })
    local exit = engine.finish(e:run(dir, name, { { "tty", 1 } }), dir)
    assert.same({ "0", "out\r\nerr\r\n", "" },
      { exit.code, dir:read("stdout.log"), dir:read("stderr.log") })
  end))

  it("loses nothing of a lot", with(function(e, dir)
    local name = e:create("dd if=/dev/urandom bs=1M count=40; exit 5")
    local exit = engine.finish(e:run(dir, name), dir)
    assert.same({ "5", tostring(40 * 1048576), nil },
      { exit.code, exit.stdout_bytes, exit.stdout_dropped })
  end))

  it("keeps to the limit of the logs, and the container runs on", with(function(e, dir)
    local name = e:create("dd if=/dev/zero bs=1M count=20; exit 6")
    local exit = engine.finish(e:run(dir, name, { { "log_limit", 1000 } }), dir)
    assert.same({ "6", tostring(20 * 1048576), "1" },
      { exit.code, exit.stdout_bytes, exit.drop_limit })
    assert.equal(1000, #dir:read("stdout.log"))
  end))

  it("says what kept it from attaching", with(function(e, dir)
    dir:mkfifo("control")
    local speaking = engine.speak(dir, e:items("xh-spec-none"))
    engine.expect(speaking, "error 404 attach")
    assert.is_nil(engine.finish(speaking, dir))
    for address, line in pairs { ["unix:/none"] = "error 2 connect",
      ["tcp:127.0.0.1:1"] = "error 111 connect", ["tcp:[::1]:1"] = "error 111 connect" } do
      local items = e:items("x")
      items[2][2] = address
      speaking = engine.speak(dir, items)
      engine.expect(speaking, line)
      assert.is_nil(engine.finish(speaking, dir))
    end
  end))

  it("leaves when its host does, and nothing was started", with(function(e, dir)
    dir:mkfifo("control")
    local name = e:create("true")
    local speaking = engine.speak(dir, e:items(name))
    engine.expect(speaking, "ready")
    assert.is_nil(engine.finish(speaking, dir))
    assert.equal("created", e:state(name).Status)
  end))

  it("goes on when its host ends between start and go", with(function(e, dir)
    dir:mkfifo("control")
    local name = e:create("echo up; sleep 0.3; exit 4")
    local speaking = engine.speak(dir, e:items(name))
    engine.expect(speaking, "ready")
    e:start(name)
    local exit = engine.finish(speaking, dir)
    assert.same({ "4", "up\n" }, { exit.code, dir:read("stdout.log") })
  end))

  it("goes on when its host ends in the middle of start", with(function(e, dir)
    dir:mkfifo("control")
    local name = e:create("exit 4")
    local speaking = engine.speak(dir, e:items(name))
    engine.expect(speaking, "ready")
    speaking.channel:close()
    async.sleep(0.1)
    e:start(name)
    assert.equal("4", engine.finish(speaking, dir).code)
  end))

  it("stops by the engine, and says who asked", with(function(e, dir)
    local name = e:create("trap 'echo term; exit 7' TERM; echo up; while :; do sleep 0.05; done")
    local speaking = e:run(dir, name)
    assert(wait_until(function() return dir:read("stdout.log") == "up\n" end))
    assert.is_true(shim.control(dir, "stop 0 5000 cancel"))
    local exit = engine.finish(speaking, dir)
    assert.same({ "7", "cancel", nil, nil, "up\nterm\n" }, { exit.code, exit.stop_by,
      exit.stop_signal, exit.stop_killed, dir:read("stdout.log") })
  end))

  it("kills after the grace, also a shorter one", with(function(e, dir)
    local name = e:create("trap '' TERM; echo up; while :; do sleep 0.05; done")
    local speaking = e:run(dir, name)
    assert(wait_until(function() return dir:read("stdout.log") == "up\n" end))
    assert.is_true(shim.control(dir, "stop 0 60000 cancel"))
    async.sleep(0.1)
    assert.is_true(shim.control(dir, "stop 0 200 other"))
    local exit = engine.finish(speaking, dir)
    assert.same({ "137", "cancel", "1" }, { exit.code, exit.stop_by, exit.stop_killed })
  end))

  it("sends the signal asked for, also to a paused one", with(function(e, dir)
    local name = e:create("trap 'exit 9' INT; echo up; while :; do sleep 0.05; done")
    local speaking = e:run(dir, name)
    assert(wait_until(function() return dir:read("stdout.log") == "up\n" end))
    e:call("POST", "/containers/" .. name .. "/pause")
    assert.is_true(shim.control(dir, "stop 2 10000 cancel"))
    local exit = engine.finish(speaking, dir)
    assert.same({ "9", "2" }, { exit.code, exit.stop_signal })
  end))

  it("kills at once when told so", with(function(e, dir)
    for _, line in ipairs { "stop 9 10000 a", "stop 15 0 a" } do
      local name = e:create("trap '' TERM; while :; do sleep 0.05; done")
      local speaking = e:run(dir, name)
      assert.is_true(shim.control(dir, line))
      local exit = engine.finish(speaking, dir)
      assert.same({ "137", "1" }, { exit.code, exit.stop_killed })
      for _, file in ipairs { "exit", "control" } do dir:unlink(file) end
    end
  end))

  it("waits for the last of several runs", with(function(e, dir)
    local name = e:create("echo run; exit 3",
      { HostConfig = { RestartPolicy = { Name = "on-failure", MaximumRetryCount = 2 } } })
    local exit = engine.finish(e:run(dir, name), dir)
    assert.same({ "3", "run\nrun\nrun\n", nil }, { exit.code, dir:read("stdout.log"), exit.gaps })
  end))

  it("can be followed by another, byte by byte", with(function(e, dir)
    local name = e:create("i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done; "
      .. "sleep 1; echo last; exit 6")
    local speaking = e:run(dir, name)
    assert(wait_until(function() return #dir:read("stdout.log") > 100 end))
    speaking.process:signal(9)
    assert(wait_until(function() return speaking.ended end))
    local had = #dir:read("stdout.log")
    speaking = engine.speak(dir, e:items(name, { { "reattach", 1 }, { "skip_stdout", had } }))
    engine.expect(speaking, "ready")
    local exit = engine.finish(speaking, dir)
    local wanted = {}
    for i = 0, 199 do wanted[#wanted + 1] = "line " .. i .. "\n" end
    assert.equal(table.concat(wanted) .. "last\n", dir:read("stdout.log"))
    assert.same({ "6", nil, "1" }, { exit.code, exit.gaps, exit.reattached })
  end))

  it("says when a container was removed", with(function(e, dir)
    local name = e:create("echo up; sleep 60")
    local speaking = e:run(dir, name)
    assert(wait_until(function() return dir:read("stdout.log") == "up\n" end))
    e:call("DELETE", "/containers/" .. name .. "?force=1")
    local exit = engine.finish(speaking, dir)
    assert.is_true(exit.removed == "1" or exit.code == "137")
  end))

  it("tells of memory", with(function(e, dir)
    local name = e:create("a=x; while :; do a=$a$a; done",
      { HostConfig = { Memory = 16777216, MemorySwap = 16777216 } })
    local exit = engine.finish(e:run(dir, name), dir)
    assert.same({ "137", "1" }, { exit.code, exit.oom_killed })
  end))
end)
