local async = require "exhost.async"
local build = require "exhost.build"
local channel = require "exhost.channel"
local command = require "support.command"
local dirs = require "exhost.dir"
local loop = require "exhost.loop"
local process = require "exhost.process_core"
local result = require "exhost.result"
local scratch = require "support.scratch"
local shim = require "exhost.shim"
local system = require "exhost.system"

local wait_until = scratch.wait_until

local function folder(dir)
  dir:mkfifo("control")
  return dir
end

--- The spec of a shell script, with more items after it.
local function sh(script, ...)
  return shim.encode { { "argv", "/bin/sh" }, { "argv", "-c" }, { "argv", script },
    { "env", "PATH=/usr/bin:/bin" }, ... }
end

--- The shim's own facts once it has written them. Suspends.
local function exit_of(dir)
  assert(wait_until(function() return dir:read("exit") end), "no exit file")
  return result.parse_exit(dir:read("exit"))
end

--- Speak to a shim word for word. Answers its channel, the lines, and how it ended.
local function speak(dir, spec, argv)
  local self, memory = { lines = {} }, dirs.memory("spec", spec)
  local c, other = channel.open(function(line) table.insert(self.lines, line or "end") end)
  self.channel = c
  self.process = assert(process.spawn { file = build.libexec .. "/exhost-shim",
    argv = argv or { "exhost-shim", "1" }, fds = { [3] = memory:number(), [4] = other,
      [5] = dir:fd(), [6] = dir:fd() }, on_exit = function(...) self.ended = { ... } end })
  memory:close()
  system.close(other)
  function self.wait()
    assert(wait_until(function() return self.ended and self.lines[#self.lines] == "end" end))
    self.channel:close()
    return self.lines
  end
  return self
end

describe("shim.encode", function()
  it("writes items in order, numbers whole", function()
    assert.equal("argv=a b\0argv=\0deadline=9007199254740992\0grace_ms=1\0",
      shim.encode { { "argv", "a b" }, { "argv", "" }, { "deadline", 2 ^ 53 },
        { "grace_ms", 1.2 } })
    assert.equal("", shim.encode {})
    assert.has_error(function() shim.encode { { "env", "A=\0" } } end)
  end)
end)

describe("exhost-shim", function()
  it("says ready, waits for go, says started, and writes logs and exit", scratch.with(function(dir)
    local running = assert(shim.start(folder(dir), dir, sh("echo out; echo err >&2; exit 3")))
    async.sleep(0.02)
    assert.is_nil(dir:read("exit"))
    assert.equal("", dir:read("stdout.log"))
    local pid = assert(running:go())
    assert.is_true(pid > 1)
    local exit = exit_of(dir)
    assert.same({ "3", "out\n", "err\n" }, { exit.code, dir:read("stdout.log"),
      dir:read("stderr.log") })
    assert.is_nil(exit.never_ran)
    assert(wait_until(function() return not shim.alive(dir) end))
  end))

  it("leaves at the end of its host before go, and nothing ran", scratch.with(function(dir, path)
    local running = assert(shim.start(folder(dir), dir, sh("echo ran > " .. path .. "/ran")))
    assert.is_true(shim.alive(dir))
    running:close()
    assert(wait_until(function() return not shim.alive(dir) end))
    assert.is_nil(dir:read("ran"))
    local exit = dir:read("exit")
    assert.is_true(exit == nil or result.parse_exit(exit).never_ran == "1")
  end))

  it("that was killed before go is an error, and nothing ran", scratch.with(function(dir, path)
    local running = assert(shim.start(folder(dir), dir, sh("echo ran > " .. path .. "/ran")))
    local _, _, host = system.ids()
    command.sh([[for p in $(cat /proc/$HOST/task/*/children); do
      grep -qx exhost-shim /proc/$p/comm && kill -9 $p; done]], { env = { HOST = tostring(host) } })
    assert(wait_until(function() return running.closed end))
    local pid, err, code, data = running:go()
    assert.same({ "nil", "internal", { never_ran = true } }, { type(pid), code, data })
    assert.equal("the shim ended before it was told to go (killed by signal 9)", err)
    assert(wait_until(function() return not shim.alive(dir) end))
    assert.is_nil(dir:read("ran"))
    running:close()
  end))

  it("goes on when its host ends after go", scratch.with(function(dir, path)
    folder(dir)
    local host = command.lua([[
      local dirs, shim = require "exhost.dir", require "exhost.shim"
      local dir = dirs.open(...)
      local running = assert(shim.start(dir, dir, shim.encode { { "argv", "/bin/sh" },
        { "argv", "-c" }, { "argv", "read x < $0; echo $x; exit 4" },
        { "argv", (...) .. "/go" } }))
      dir:mkfifo("go")
      assert(running:go())]], { args = { path } })
    assert.same({ 0, "" }, { host.code, host.err })
    assert.is_true(shim.alive(dir))
    assert(wait_until(function() return dir:fifo_write("go", "word\n") end))
    assert.equal("4", exit_of(dir).code)
    assert.equal("word\n", dir:read("stdout.log"))
  end))

  it("refuses another version of the protocol, and no argument", scratch.with(function(dir)
    folder(dir)
    for _, argv in ipairs { { "exhost-shim", "2" }, { "exhost-shim" }, { "exhost-shim", "" },
      { "exhost-shim", "1", "1" }, { "exhost-shim", "x" } } do
      local lines = speak(dir, sh("true"), argv).wait()
      assert.matches("^error %d+ protocol$", lines[1])
      assert.same({ lines[1], "end" }, lines)
    end
    assert.is_nil(dir:read("exit"))
  end))

  it("refuses a spec with anything wrong in it", scratch.with(function(dir)
    folder(dir)
    local good = sh("true")
    for _, spec in ipairs {
      "", "argv=/bin/true", "argv\0", "nonsense=1\0" .. good, "env=A=1\0", "argv=\0",
      good .. "env=NOEQUALS\0", good .. "cwd=relative\0", good .. "uid=-1\0",
      good .. "uid=4294967295\0", good .. "gid=x\0", good .. "umask=0999\0",
      good .. "umask=7777\0", good .. "rlimit=7\0", good .. "rlimit=99:1:1\0",
      good .. "rlimit=7:1:x\0", good .. "deadline=1s\0", good .. "stop_signal=0\0",
      good .. "stop_signal=65\0", good .. "grace_ms=99999999999999999999\0",
      good .. "cgroup_version=3\0", good .. "cgroup_version=2\0", good .. "cgroup=x\0",
      good .. "script=a\0", good .. "script=a/b\0script_data=\0", good .. "script_data=x\0",
      good .. "script=a\0env=A=1\0script_data=x\0", good .. "execution=\0",
      good .. "sync=2\0", good .. "sync=\0", good .. "sync=yes\0",
    } do
      local lines = speak(dir, spec).wait()
      assert.same({ "error 22 spec", "end" }, lines, (spec:gsub("%z", "|")))
    end
    assert.is_nil(dir:read("exit"))
  end))

  it("says what kept the workload from starting, and leaves", scratch.with(function(dir)
    folder(dir)
    for step, spec in pairs {
      cwd = sh("true", { "cwd", "/nowhere" }), cgroup = sh("true", { "cgroup", "/nowhere" }),
    } do
      local started, err, code, data = shim.start(dir, dir, spec)
      assert.same({ nil, "engine", 2 }, { started, code, data and data.errno }, step)
      assert.equal(step, err:match("^%a+"))
    end
    local running = assert(shim.start(dir, dir, shim.encode { { "argv", "/nowhere/at/all" } }))
    local pid, step, code, data = running:go()
    assert.same({ nil, "exec", "engine", { errno = 2, step = "exec" } }, { pid, step, code, data })
  end))

  it("takes nothing else for its control FIFO, nor for its logs", scratch.with(function(dir)
    dir:write("control", "")
    local started, step, code = shim.start(dir, dir, sh("true"))
    assert.same({ nil, "control", "engine" }, { started, step, code })
    for _, name in ipairs { "stdout.log", "stderr.log", "log.idx" } do
      dir:remove_tree("x")
      local sub = folder(dir:open("x", true))
      sub:mkfifo(name)
      assert.equal("open_log", select(2, shim.start(sub, sub, sh("true"))))
      sub:close()
    end
  end))

  it("takes a host that says something else for none", scratch.with(function(dir, path)
    folder(dir)
    for _, word in ipairs { "gone", "GO", "" } do
      local speaking = speak(dir, sh("echo ran > " .. path .. "/ran"))
      assert(wait_until(function() return speaking.lines[1] == "ready" end))
      speaking.channel:send(word)
      async.sleep(0.01)
      speaking.channel:close()
      assert(wait_until(function() return speaking.ended end))
      assert.is_nil(dir:read("ran"))
      dir:unlink("exit")
    end
  end))
end)

describe("shim.control", function()
  it("stops by signal, grace and KILL, and says who asked", scratch.with(function(dir)
    local running = assert(shim.start(folder(dir), dir,
      sh("trap '' TERM; echo up; while :; do sleep 0.05; done")))
    running:go()
    assert(wait_until(function() return dir:read("stdout.log") == "up\n" end))
    assert.is_true(shim.control(dir, "stop 15 50 cancel"))
    local exit = exit_of(dir)
    assert.same({ "9", "cancel" }, { exit.signal, exit.stop_by })
  end))

  it("counts lines that mean nothing, and obeys the next", scratch.with(function(dir)
    local running = assert(shim.start(folder(dir), dir, sh("sleep 60")))
    running:go()
    for _, line in ipairs { "nonsense", "stop", "stop x 1", "stop 15 -1", "signal 99", "pause now",
      ("x"):rep(600), "limit ../../x 1", "limit cgroup.procs 1", "deadline soon" } do
      assert.is_true(shim.control(dir, line))
    end
    assert.is_true(shim.control(dir, "signal 10"))
    local exit = exit_of(dir)
    assert.same({ "10", "10" }, { exit.signal, exit.bad_control })
  end))

  it("ends the workload at its deadline, also one that comes later", scratch.with(function(dir)
    local running = assert(shim.start(folder(dir), dir, sh("sleep 60")))
    running:go()
    assert.is_true(shim.control(dir, "deadline " .. loop.boottime(0.02)))
    local exit = exit_of(dir)
    assert.equal("15", exit.signal)
    assert.equal("timeout", result.from(exit, {}, {}).reason)
  end))

  it("says when nobody listens", scratch.with(function(dir)
    assert.same({ nil, "no shim listens", "not_found" }, { shim.control(dir, "pause") })
    folder(dir)
    assert.same({ nil, "no shim listens", "not_found" }, { shim.control(dir, "pause") })
    assert.is_false(shim.alive(dir))
    dir:unlink("control")
    dir:write("control", "")
    assert.equal("io", select(3, shim.control(dir, "pause")))
  end))
end)
