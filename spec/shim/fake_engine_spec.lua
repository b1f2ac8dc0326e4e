--- The shim on an engine that fails in every way that one can.

local async = require "exhost.async"
local command = require "support.command"
local engine = require "support.engine"
local loop = require "exhost.loop"
local scratch = require "support.scratch"
local shim = require "exhost.shim"

local wait_until = scratch.wait_until

local function try(dir, path, options, body, ...)
  local e = engine.fake(path, options)
  local ok, err = xpcall(body, function(m)
    return type(m) == "table" and m or debug.traceback(m .. "\n" .. e.process:stdout(), 2)
  end, e, dir, ...)
  engine.end_shims()
  e:quit()
  if not ok then error(err, 0) end
end

--- A spec with a fake engine of these options.
local function with(options, body)
  return scratch.with(function(dir, path) try(dir, path, options, body) end)
end

--- Run to the end. Answers what the exit file and the logs say.
local function run(e, dir, items)
  local exit = engine.finish(e:run(dir, "x", items), dir)
  return exit, dir:read("stdout.log"), dir:read("stderr.log")
end

--- A spec that cuts the first answer of a kind after so many bytes, then after more.
local function cutting(kind, from, to, step, script, body)
  return scratch.with(function(dir, path)
    for at = from, to, step do
      try(dir, path, { script = script, cut = { [kind] = at } }, body, at)
      for _, file in ipairs { "exit", "stdout.log", "stderr.log", "log.idx", "control" } do
        dir:unlink(file)
      end
    end
  end)
end

local SHORT = { { out = "one\n" }, { err = "two\n" }, { exit = 3 } }

describe("a shim's engine", function()
  it("may be read a byte at a time", with({ script = SHORT, dribble = 1, labels = 40 },
    function(e, dir)
      local exit, out, err = run(e, dir)
      assert.same({ "3", "one\n", "two\n" }, { exit.code, out, err })
      assert.is_nil(exit.gaps or exit.reattached)
    end))

  it("has its output synced where that is asked for", with({ script = SHORT }, function(e, dir)
    local exit, out, err = run(e, dir, { { "sync", 1 } })
    assert.same({ "3", "one\n", "two\n" }, { exit.code, out, err })
    assert.is_nil(exit.sync_errno)
  end))

  it("may answer the attach as an upgrade, and a terminal's raw", with({ upgrade = true,
    tty = true, script = SHORT }, function(e, dir)
    local exit, out = run(e, dir, { { "tty", 1 } })
    assert.same({ "3", "one\ntwo\n" }, { exit.code, out })
  end))

  local port = 20000 + math.floor(loop.now() * 1000) % 10000
  it("may be reached by TCP", with({ port = port, script = SHORT }, function(e, dir)
    local exit, out = run(e, dir)
    assert.same({ "3", "one\n" }, { exit.code, out })
  end))

  it("may have a longer path than a socket's address holds", scratch.with(function(dir, path)
    local long = path .. ("/d"):rep(60)
    try(dir, path, { script = SHORT }, function(e)
      command.sh("mkdir -p " .. long .. " && ln -s " .. e.socket .. " " .. long .. "/s")
      e.address = "unix:" .. long .. "/s"
      local exit, out = run(e, dir)
      assert.same({ "3", "one\n" }, { exit.code, out })
    end)
  end))

  for kind, size in pairs { attach = 81, wait = 60 } do
    it("may cut the head of its answer to " .. kind .. " anywhere",
      cutting(kind, 0, size, 3, SHORT, function(e, dir, at)
        dir:mkfifo("control")
        local speaking = engine.speak(dir, e:items("x"))
        engine.expect(speaking, at < size and "error 104 " .. kind or "ready")
        assert.is_nil(engine.finish(speaking, dir))
      end))
  end

  for kind, range in pairs { wait = { 60, 110, 5 }, json = { 0, 900, 37 } } do
    it("may cut its answer to " .. kind .. " anywhere",
      cutting(kind, range[1], range[2], range[3], SHORT, function(e, dir)
        local exit, out, err = run(e, dir)
        assert.same({ "3", "one\n", "two\n" }, { exit.code, out, err })
        assert.is_nil(exit.gaps)
      end))
  end

  it("may cut the output anywhere: all is there once", cutting("attach", 81, 126, 5,
    { { out = "first\n" }, { sleep = 10 }, { err = "second\n" }, { sleep = 10 },
      { out = "third\n" }, { sleep = 350 }, { exit = 0 } }, function(e, dir)
      local exit, out, err = run(e, dir)
      assert.same({ "0", "first\nthird\n", "second\n", "12", "7" },
        { exit.code, out, err, exit.stdout_bytes, exit.stderr_bytes })
      assert.is_nil(exit.gaps)
    end))

  for kind, line in pairs { attach = "error 500 attach", wait = "error 500 wait" } do
    it("may refuse to " .. kind, with({ status = { [kind] = { 500 } } }, function(e, dir)
      dir:mkfifo("control")
      local speaking = engine.speak(dir, e:items("x"))
      engine.expect(speaking, line)
      assert.is_nil(engine.finish(speaking, dir))
    end))
  end

  for what, bytes in pairs {
    ["no HTTP"] = "hello\r\n\r\n", ["no status"] = "HTTP/1.1 OK\r\n\r\n",
    ["an endless head"] = "HTTP/1.1 200 X\r\n" .. ("A: " .. ("x"):rep(1000) .. "\r\n"):rep(70),
    ["no length"] = "HTTP/1.1 200 X\r\nContent-Length: -1\r\n\r\n",
    ["no chunk"] = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ["a huge chunk"] = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n",
    ["no JSON"] = "HTTP/1.1 200 X\r\n\r\n}]\\", ["another JSON"] = "HTTP/1.1 200 X\r\n\r\n[{}]",
    ["nothing"] = "HTTP/1.1 204 X\r\n\r\n", ["half a JSON"] = "HTTP/1.1 200 X\r\n\r\n"
      .. '{"State":{"Status":"exited","Running":false,"ExitCode":77',
    ["State elsewhere"] = "HTTP/1.1 200 X\r\n\r\n"
      .. '[{"State":{"Running":false,"ExitCode":77}}]',
  } do
    it("may say " .. what .. " of the state, and is asked again", with({ script = SHORT,
      raw = { json = bytes } }, function(e, dir)
      local exit = run(e, dir)
      assert.equal("3", exit.code)
    end))
  end

  it("may say to continue first", with({ script = SHORT, raw = { json =
    "HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\nHTTP/1.0 200 OK\nX:y\n\n"
      .. ' { "State" : { "Running" : false , "ExitCode" : 77 } } ' } }, function(e, dir)
    assert.equal("77", run(e, dir).code)
  end))

  it("may answer the attach with no stream of output", with({ script = SHORT,
    raw = { attach = "HTTP/1.1 200 OK\r\n\r\nnot a frame" } }, function(e, dir)
    dir:mkfifo("control")
    local speaking = engine.speak(dir, e:items("x"))
    engine.expect(speaking, "error 71 attach")
    assert.is_nil(engine.finish(speaking, dir))
  end))

  it("may fail for a while", with({ script = SHORT, status = { json = { 500, 400, 503 } } },
    function(e, dir)
      local exit, out = run(e, dir)
      assert.same({ "3", "one\n" }, { exit.code, out })
    end))

  it("may die and come back while the container runs", with({ script = { { out = "one\n" },
    { sleep = 20 }, { die = 300 }, { lost = "two\n" }, { sleep = 500 }, { out = "three\n" },
    { exit = 4 } } }, function(e, dir)
    local exit, out = run(e, dir)
    assert.same({ "4", "one\ntwo\nthree\n", "14", nil }, { exit.code, out, exit.stdout_bytes,
      exit.gaps })
    assert.equal("1", exit.reattached)
    assert.is_nil(exit.engine_away_at)
  end))

  it("may die, and the container ends meanwhile", with({ script = { { out = "one\n" },
    { sleep = 20 }, { lost = "two\n" }, { status = "exited" }, { die = 500 } },
    state = { code = 6 } }, function(e, dir)
    local exit, out = run(e, dir)
    assert.same({ "6", "one\ntwo\n", nil }, { exit.code, out, exit.gaps })
    assert.matches("^%d+%-%d+%-%d+T.*Z$", exit.engine_away_at)
  end))

  it("may die with the host's word in between", with({ script = { { sleep = 5 }, { die = 200 },
    { sleep = 300 }, { exit = 8 } } }, function(e, dir)
    local exit = run(e, dir)
    assert.equal("8", exit.code)
  end))

  it("may have another record than what it gave: a gap", with({ log = "\1\0\0\0\0\0\0\3eno",
    script = { { out = "one\n" }, { sleep = 20 }, { die = 200 }, { sleep = 700 },
      { out = "two\n" }, { exit = 4 } } }, function(e, dir)
    local exit, out = run(e, dir)
    assert.same({ "4", "one\ntwo\n" }, { exit.code, out })
    assert.truthy(tonumber(exit.gaps) >= 1)
  end))

  it("may have forgotten the beginning: a gap", with({ log = "",
    script = { { out = "one\n" }, { sleep = 20 }, { die = 200 }, { exit = 4 } } },
    function(e, dir)
      local exit, out = run(e, dir)
      assert.same({ "4", "one\n", "1" }, { exit.code, out, exit.gaps })
    end))

  it("may not be able to read its logs: a gap", with({ status = { logs = { 501 } },
    script = { { out = "one\n" }, { sleep = 20 }, { die = 100 }, { lost = "two\n" },
      { sleep = 600 }, { out = "three\n" }, { exit = 4 } } }, function(e, dir)
    local exit, out = run(e, dir)
    assert.same({ "4", "one\nthree\n", "1" }, { exit.code, out, exit.gaps })
  end))

  it("starts a container again: only its last end counts", with({ script = { { out = "one\n" },
    { restart = 1 }, { sleep = 100 }, { status = "running" }, { out = "two\n" }, { sleep = 50 },
    { restart = 1 }, { sleep = 100 }, { status = "running" }, { out = "three\n" },
    { exit = 5 } } }, function(e, dir)
    local exit, out = run(e, dir)
    assert.same({ "5", "one\ntwo\nthree\n", nil }, { exit.code, out, exit.gaps })
  end))

  it("may start and end it again unseen", with({ script = { { out = "one\n" },
    { restart = 1 }, { status = "running" }, { out = "two\n" }, { exit = 5 } } },
    function(e, dir)
      local exit, out = run(e, dir)
      assert.same({ "5", "one\ntwo\n", nil }, { exit.code, out, exit.gaps })
    end))

  it("may say that it stops, and not that it runs, of what still does", with({
    script = { { out = "one\n" }, { sleep = 20 }, { status = "stopping" }, { die = 200 },
      { sleep = 400 }, { out = "two\n" }, { exit = 7 } } }, function(e, dir)
    local exit, out = run(e, dir)
    assert.same({ "7", "one\ntwo\n" }, { exit.code, out })
  end))

  it("may lose the container to somebody", with({ script = { { out = "one\n" }, { sleep = 20 },
    { remove = 1 } } }, function(e, dir)
    local exit, out = run(e, dir)
    assert.same({ "1", nil, "one\n" }, { exit.removed, exit.code, out })
    assert.is_nil(exit.gaps or exit.never_ran)
  end))

  it("may be removing it while it is asked", with({ script = { { sleep = 20 },
    { exit = 137, status = "removing" } } }, function(e, dir)
    local exit = run(e, dir)
    assert.same({ "1", nil }, { exit.removed, exit.code })
  end))

  it("may remove it at its end", with({ script = { { sleep = 20 },
    { exit = 3, status = "removing" } } }, function(e, dir)
    local exit = run(e, dir)
    assert.same({ nil, "3" }, { exit.removed, exit.code })
  end))

  it("tells of memory and of its own errors", with({ state = { error = "a \\u003cb\\n\\\"c",
    code = 0 }, script = { { oom = 1 }, { exit = 137 } } }, function(e, dir)
    local exit = run(e, dir)
    assert.same({ "137", "1", 'a <b "c', "2026-01-02T03:04:05.6Z", "2026-01-02T03:04:06.7Z" },
      { exit.code, exit.oom_killed, exit.engine_error, exit.engine_started_at,
        exit.engine_finished_at })
    assert.is_nil(exit.stop_killed)
  end))

  it("closes a stream of output that a container closed, and its end is awaited", with({
    script = { { out = "one\n" }, { cut = "attach" }, { sleep = 600 }, { exit = 2 } } },
    function(e, dir)
      local exit, out = run(e, dir)
      assert.same({ "2", "one\n", nil }, { exit.code, out, exit.gaps })
    end))
end)

describe("a container that its engine starts once", function()
  local ENDS = { { out = "one\n" }, { sleep = 50 } }

  --- Run it; answers the exit file and how often the engine was asked for its state.
  local function asked(e, dir)
    local exit, out = run(e, dir, { { "once", 1 } })
    assert.equal("one\n", out)
    local count = 0
    for _, request in ipairs(e:requests()) do
      if request:find("^GET .*/json$") then count = count + 1 end
    end
    return exit, count
  end

  it("is known from while it ran and from the end of the wait", with({
    script = { ENDS[1], ENDS[2], { exit = 0 } } }, function(e, dir)
    local exit, count = asked(e, dir)
    assert.same({ "0", "2026-01-02T03:04:05.6Z", nil, 1 },
      { exit.code, exit.engine_started_at, exit.engine_finished_at, count })
    assert.is_nil(exit.gaps or exit.removed or exit.engine_error)
  end))

  it("is asked for after an end that needs a reason", with({
    script = { ENDS[1], ENDS[2], { exit = 3 } } }, function(e, dir)
    local exit, count = asked(e, dir)
    assert.same({ "3", "2026-01-02T03:04:06.7Z", 2 }, { exit.code, exit.engine_finished_at, count })
  end))

  it("is asked for where the wait itself went wrong", with({ wait_error = "no longer",
    script = { ENDS[1], ENDS[2], { exit = 0 } } }, function(e, dir)
    local exit, count = asked(e, dir)
    assert.same({ "0", 2 }, { exit.code, count })
  end))

  it("may end before the engine is asked while it runs", with({
    script = { ENDS[1], { exit = 0 } } }, function(e, dir)
    local exit, count = asked(e, dir)
    assert.equal("0", exit.code)
    assert.truthy(count >= 1)
    assert.is_nil(exit.gaps or exit.reattached)
  end))

  it("may outlive its engine", with({ script = { ENDS[1], { sleep = 20 }, { die = 200 },
    { sleep = 600 }, { exit = 0 } } }, function(e, dir)
    local exit = asked(e, dir)
    assert.same({ "0", "1", nil }, { exit.code, exit.reattached, exit.gaps })
  end))
end)

describe("a container that was left by its shim", function()
  it("is taken up again where the logs end", with({ state = { status = "running" },
    script = { { out = "one\n" }, { err = "E" } } }, function(e, dir)
    dir:mkfifo("control")
    dir:write("stdout.log", "older\none")
    e:start("x")
    local speaking = engine.speak(dir, e:items("x", { { "reattach", 1 }, { "skip_stdout", 3 } }))
    engine.expect(speaking, "ready")
    assert(wait_until(function() return dir:read("stderr.log") == "E" end))
    assert.is_true(shim.control(dir, "stop 9 0 cancel"))
    local exit = engine.finish(speaking, dir)
    assert.same({ "137", "older\none\n", "4", "1", nil }, { exit.code, dir:read("stdout.log"),
      exit.stdout_bytes, exit.reattached, exit.started_at })
    assert.is_nil(exit.gaps or exit.never_ran)
  end))

  it("may be over", with({ state = { status = "exited", code = 9 } }, function(e, dir)
    dir:mkfifo("control")
    local exit = engine.finish(engine.speak(dir, e:items("x", { { "reattach", 1 } })), dir)
    assert.same({ "9", "1" }, { exit.code, exit.engine })
  end))

  it("is found when its engine is back", with({ state = { status = "running" },
    script = { { out = "one\n" }, { sleep = 10 }, { die = 400 }, { exit = 6 } } },
    function(e, dir)
      dir:mkfifo("control")
      e:start("x")
      async.sleep(0.1)
      local speaking = engine.speak(dir, e:items("x", { { "reattach", 1 } }))
      engine.expect(speaking, "ready")
      local exit = engine.finish(speaking, dir)
      assert.same({ "6", "one\n", nil }, { exit.code, dir:read("stdout.log"), exit.gaps })
    end))

  it("may never have run", with({}, function(e, dir)
    dir:mkfifo("control")
    local exit = engine.finish(engine.speak(dir, e:items("x", { { "reattach", 1 } })), dir)
    assert.same({ "1", nil }, { exit.never_ran, exit.code })
  end))

  it("may be gone", with({ status = { json = { 404 } } }, function(e, dir)
    dir:mkfifo("control")
    local exit = engine.finish(engine.speak(dir, e:items("x", { { "reattach", 1 } })), dir)
    assert.same({ "1", nil, nil }, { exit.removed, exit.code, exit.never_ran })
  end))
end)

describe("a stop by an engine", function()
  local function last(e, kind)
    local found
    for _, request in ipairs(e:requests()) do
      if request:find(kind, 1, true) then found = request end
    end
    return found
  end

  for line, wanted in pairs {
    ["stop 0 1500 a"] = "POST /stop?t=2", ["stop 0 18446744073709551615 a"] = "t=1000000000",
    ["stop 10 5000 a"] = "POST /stop?t=5", ["stop 2 5000 a"] = "POST /kill?signal=2",
    ["stop 9 5000 a"] = "POST /kill?signal=KILL", ["stop 0 0 a"] = "POST /kill?signal=KILL",
  } do
    it("of " .. line .. " is " .. wanted, with({ script = { { sleep = 60000 } } }, function(e, dir)
      local speaking = e:run(dir, "x", { { "stop_signal", 10 } })
      assert.is_true(shim.control(dir, line))
      local exit = engine.finish(speaking, dir)
      assert.truthy(exit.code)
      assert(last(e, wanted), e.process:stdout())
    end))
  end

  it("names the signal where the API has that", with({ script = { { sleep = 60000 } } },
    function(e, dir)
      e.api = "1.42"
      local speaking = e:run(dir, "x")
      assert.is_true(shim.control(dir, "stop 2 5000 a"))
      engine.finish(speaking, dir)
      assert.same("POST /stop?t=5&signal=2", last(e, "POST /stop"))
    end))

  it("ends a call that blocks, and kills", with({ deaf = true, script = { { sleep = 60000 } } },
    function(e, dir)
      local speaking = e:run(dir, "x")
      assert.is_true(shim.control(dir, "stop 0 60000 cancel"))
      assert(wait_until(function() return last(e, "POST /stop") end))
      assert.is_true(shim.control(dir, "stop 0 100 cancel"))
      local exit = engine.finish(speaking, dir)
      assert.same({ "137", "1", "cancel" }, { exit.code, exit.stop_killed, exit.stop_by })
    end))

  it("unpauses first", with({ script = { { status = "paused" } } }, function(e, dir)
    local speaking = e:run(dir, "x")
    async.sleep(0.02)
    assert.is_true(shim.control(dir, "stop 0 5000 a"))
    engine.finish(speaking, dir)
    local order = table.concat(e:requests(), "\n")
    assert.matches("POST /unpause\nPOST /stop%?t=5", order)
  end))

  it("is repeated when the engine is back", with({ script = { { sleep = 20 }, { die = 400 },
    { sleep = 60000 } } }, function(e, dir)
    local speaking = e:run(dir, "x")
    async.sleep(0.1)
    assert.is_true(shim.control(dir, "stop 0 30000 cancel"))
    local exit = engine.finish(speaking, dir)
    assert.same({ "0", "cancel" }, { exit.code, exit.stop_by })
  end))

  it("is repeated when it is refused", with({ script = { { sleep = 60000 } },
    status = { stop = { 500, 500 } } }, function(e, dir)
    local speaking = e:run(dir, "x")
    assert.is_true(shim.control(dir, "stop 0 30000 cancel"))
    assert.equal("0", engine.finish(speaking, dir).code)
  end))

  it("comes at the deadline, also one that comes later", with({ script = { { sleep = 60000 } } },
    function(e, dir)
      local speaking = e:run(dir, "x")
      assert.is_true(shim.control(dir, "deadline " .. loop.boottime(0.02)))
      local exit = engine.finish(speaking, dir)
      assert.same({ "0", "deadline", nil }, { exit.code, exit.stop_by, exit.stop_signal })
    end))

  it("that comes before go is kept", with({ script = { { sleep = 60000 } } }, function(e, dir)
    dir:mkfifo("control")
    local speaking = engine.speak(dir, e:items("x"))
    engine.expect(speaking, "ready")
    assert.is_true(shim.control(dir, "stop 0 5000 cancel"))
    async.sleep(0.02)
    e:start("x")
    speaking.channel:send("go")
    local exit = engine.finish(speaking, dir)
    assert.same({ "0", "cancel" }, { exit.code, exit.stop_by })
  end))

  it("is all that the control FIFO does", with({ script = { { sleep = 60000 } } }, function(e, dir)
    local speaking = e:run(dir, "x")
    for _, line in ipairs { "signal 15", "pause", "resume", "exec x", "stop -1 1", "nonsense" } do
      assert.is_true(shim.control(dir, line))
    end
    assert.is_true(shim.control(dir, "stop 0 5000 cancel"))
    assert.same("6", engine.finish(speaking, dir).bad_control)
  end))
end)

describe("a shim's spec of an engine", function()
  it("is refused with anything wrong in it", scratch.with(function(dir)
    dir:mkfifo("control")
    local function items(more, container, address, api)
      return { { "engine", address or "unix:/x" }, { "container", container or "x" },
        { "api", api or "1.41" }, more }
    end
    for i, bad in ipairs {
      items { "argv", "/bin/true" }, items { "env", "A=1" }, items { "cwd", "/" },
      items { "uid", 0 }, items { "cgroup", "/x" }, items { "script", "a" }, items { "tty", 2 },
      items { "skip_stdout", "x" }, items { "reattach", "" }, items({ "tty", 1 }, "a/b"),
      items({ "tty", 1 }, ".."), items({ "tty", 1 }, ""), items({ "tty", 1 }, ("x"):rep(256)),
      items({ "tty", 1 }, "a b"), items({ "tty", 1 }, nil, "x"), items({ "tty", 1 }, nil, "unix:x"),
      items({ "tty", 1 }, nil, "tcp:localhost:1"), items({ "tty", 1 }, nil, "tcp:127.0.0.1"),
      items({ "tty", 1 }, nil, "tcp:127.0.0.1:0"), items({ "tty", 1 }, nil, "tcp:[::1]"),
      items({ "tty", 1 }, nil, "tcp:::1:1"), items({ "tty", 1 }, nil, nil, "2.0"),
      items({ "tty", 1 }, nil, nil, "1."), items({ "tty", 1 }, nil, nil, "1.41/"),
      { { "engine", "unix:/x" }, { "api", "1.41" } },
      { { "argv", "/bin/true" }, { "container", "x" } },
      { { "argv", "/bin/true" }, { "once", 1 } }, items { "once", 2 },
    } do
      local speaking = engine.speak(dir, bad)
      local line = wait_until(function() return speaking.lines[1] end)
      assert.equal("error 22 spec", line, "case " .. i)
      assert.is_nil(engine.finish(speaking, dir))
    end
  end))
end)
