local async = require "exhost.async"
local command = require "support.command"
local dirs = require "exhost.dir"
local loop = require "exhost.loop"
local process = require "exhost.process_core"
local scratch = require "support.scratch"
local system = require "exhost.system"
local task = require "conformance.task"

local wait_until = scratch.wait_until

local code_of = command.code_of

--- Start a program and wait for its end. Suspends.
local function run(options)
  return async.await(function(done)
    options.on_exit = done
    local started, err, code = process.spawn(options)
    if not started then done(nil, err, code) end
  end)
end

--- A shell script's end and what it wrote to descriptor 1. Suspends.
local function sh(script, options)
  options = options or {}
  local out = dirs.memory("out", "")
  options.file, options.argv = "/bin/sh", { "sh", "-c", script }
  options.fds = options.fds or {}
  options.fds[1] = options.fds[1] or out:number()
  local status, signal = run(options)
  local file = assert(io.open("/proc/self/fd/" .. out:number(), "rb"))
  local text = file:read("*a")
  file:close()
  out:close()
  return text, status, signal
end

local function exists(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  if file then file:close() end
  return file ~= nil
end

describe("process.spawn", function()
  it("reports the exit status, or the signal", task(function()
    for status = 0, 255, 51 do
      assert.same({ status, 0 }, { select(2, sh("exit " .. status)) })
    end
    for _, signal in ipairs { 1, 9, 15, 31, 34, 64 } do
      assert.same({ 0, signal }, { select(2, sh("kill -" .. signal .. " $$")) })
    end
  end))

  it("gives the program its words and its environment, and nothing else", task(function()
    local words = { "name", "", " a  b ", "$HOME", "*", "l1\nl2", "\255\254", "naïve", "-x" }
    local out = dirs.memory("out", "")
    assert.equal(0, (run { file = "/usr/bin/printf", fds = { [1] = out:number() },
      argv = { "printf", "%s|", unpack(words) } }))
    local file = io.open("/proc/self/fd/" .. out:number(), "rb")
    assert.equal(table.concat(words, "|") .. "|", file:read("*a"))
    file:close()
    out:close()
    local env = { "A=1", "EMPTY=", "EQ=a=b", "NL=x\ny", "B=\255" }
    local seen = sh("cat /proc/$$/environ", { env = env })
    assert.equal(table.concat(env, "\0") .. "\0", seen)
    assert.equal("", (sh("cat /proc/$$/environ")))
  end))

  it("runs it in a session of its own, with no signal blocked or ignored", task(function()
    local text = sh("read _ _ _ _ pgrp session rest < /proc/$$/stat; echo $$ $pgrp $session; "
      .. "grep -E '^Sig(Blk|Ign)' /proc/self/status") -- not sh's own: it blocks some to fork
    local pid, pgrp, session = text:match("^(%d+) (%d+) (%d+)\n")
    assert.same({ pid, pid }, { pgrp, session })
    assert.matches("SigBlk:%s0000000000000000\nSigIgn:%s0000000000000000\n", text)
  end))

  it("refuses what is no list of words", function()
    local function raises(message, options)
      local ok, err = pcall(process.spawn, options)
      assert.is_false(ok)
      assert.matches(message, err, 1, true)
    end
    raises("file: expected a path", { argv = { "x" } })
    raises("file: expected a string, got number", { file = 1, argv = { "x" } })
    raises("argv: expected at least one word", { file = "/bin/true" })
    raises("argv: expected at least one word", { file = "/bin/true", argv = {} })
    raises("argv[2]: expected a string, got number", { file = "/bin/true", argv = { "x", 1 } })
    raises("argv[1]: expected a string, got nil", { file = "/bin/true", argv = { nil, "x" } })
    raises("env[1]: expected a string, got table",
      { file = "/bin/true", argv = { "x" }, env = { {} } })
    raises("function expected", { file = "/bin/true", argv = { "x" }, on_exit = 1 })
    assert.has_error(function() process.spawn() end)
    assert.has_error(function() process.spawn { file = "/bin/true", argv = "true" } end)
  end)

  it("refuses a NUL, which would cut the word off", function()
    for _, options in ipairs {
      { file = "/bin/true\0x", argv = { "x" } }, { file = "/bin/true", argv = { "x", "a\0b" } },
      { file = "/bin/true", argv = { "x" }, env = { "A=\0" } },
    } do
      local ok, err = pcall(process.spawn, options)
      assert.is_false(ok)
      assert.matches("holds a NUL", err)
    end
  end)

  it("says why a program cannot be executed", scratch.with(function(dir, path)
    dir:write("text", "no program\n")
    dir:mkdir("folder")
    local before = loop.refs()
    for file, code in pairs { ["/nowhere/at/all"] = "ENOENT", [path .. "/text"] = "EACCES",
      [path .. "/folder"] = "EACCES", [path .. "/text/x"] = "ENOTDIR", [""] = "ENOENT",
      true_without_a_path = "ENOENT" } do
      assert.equal(code, code_of(process.spawn { file = file, argv = { "x" }, on_exit = print }))
    end
    command.sh("chmod +x $D/text", { env = { D = path } })
    assert.equal("ENOEXEC", code_of(process.spawn { file = path .. "/text", argv = { "x" } }))
    local long = { "x" }
    for i = 2, 4 do long[i] = ("y"):rep(2 ^ 17 - 1) end
    long[5] = ("y"):rep(2 ^ 17)
    assert.equal("E2BIG", code_of(process.spawn { file = "/bin/true", argv = long }))
    assert.equal(before, loop.refs())
  end))
end)

describe("the descriptors of a program", function()
  it("are those named, and /dev/null for 0 to 2", task(function()
    local seen = {}
    for line in sh("exec ls -l /proc/self/fd"):gmatch("%d+ %-> [^\n]+") do
      seen[#seen + 1] = line
    end
    assert.matches("^3 %-> /proc/%d+/fd$", table.remove(seen)) -- what ls reads
    assert.same({ "0 -> /dev/null", "1 -> /memfd:out (deleted)", "2 -> /dev/null" }, seen)
  end))

  it("arrive under their numbers, also crosswise", task(function()
    local a, b = dirs.memory("a", "A"), dirs.memory("b", "B")
    local high = dirs.memory("high", "H")
    local text = sh("cat <&3; cat <&4; cat <&63 2>/dev/null", { fds = {
      [3] = b:number(), [4] = a:number(), [9] = high:number() } })
    assert.equal("BA", text)
    for _, fd in ipairs { a, b, high } do fd:close() end
    -- Each one's source is another one's target.
    a, b = dirs.memory("a", "A"), dirs.memory("b", "B")
    local m, n = a:number(), b:number()
    assert.equal("BA", (sh(string.format("cat /proc/$$/fd/%d /proc/$$/fd/%d", m, n),
      { fds = { [m] = n, [n] = m } })))
    a:close()
    b:close()
  end))

  it("are none that others opened here without close-on-exec", task(function()
    local files = {}
    for i = 1, 20 do files[i] = assert(io.open("/dev/zero")) end
    assert.is_nil((sh("ls -l /proc/$$/fd")):find("zero"))
    for _, file in ipairs(files) do file:close() end
  end))

  it("are refused when they are no descriptors", function()
    local function code(fds)
      return code_of(process.spawn { file = "/bin/true", argv = { "x" }, fds = fds })
    end
    assert.equal("EBADF", code { [3] = -1 })
    assert.equal("EBADF", code { [3] = 9999 })
    assert.equal("EINVAL", code { [-1] = 0 })
    assert.equal("EINVAL", code { [64] = 0 })
    local many = {}
    for i = 3, 19 do many[i] = 0 end
    assert.has_error(function() code(many) end)
    assert.has_error(function() code { [3] = "x" } end)
    assert.has_error(function() code { x = 0 } end)
    assert.has_error(function() code(3) end)
  end)

  it("do not reach programs that start at the same time", task(function()
    -- If a sibling held the write end, the reader would not see the end of file.
    local async_list = {}
    for i = 1, 12 do
      async_list[i] = function()
        local read_end, write_end = require("exhost.logread").pipe()
        local writer = process.spawn { file = "/bin/echo", argv = { "echo", "out" },
          fds = { [1] = write_end }, on_exit = function() end }
        system.close(write_end)
        local other = process.spawn { file = "/bin/sleep", argv = { "sleep", "60" },
          on_exit = function() end }
        assert(writer and other)
        local text
        assert(wait_until(function()
          local bytes = system.read_some(read_end)
          if bytes and bytes ~= "" then text = bytes end
          return bytes == ""
        end), "the pipe's other end is held by a sibling")
        assert.equal("out\n", text)
        system.close(read_end)
        other:signal(9)
        assert(wait_until(function() return other:pid() == nil end))
        return true
      end
    end
    for _, answer in ipairs(async.all(async_list)) do assert.is_true(answer[1], answer[2]) end
  end))
end)

describe("a process", function()
  it("one of many is told its own end, once", task(function()
    collectgarbage() collectgarbage()
    async.sleep(0.05) -- what specs before this one had is closed by then
    local before = scratch.count(scratch.descriptors())
    local starts, told = {}, 0
    for i = 1, 200 do
      starts[i] = function()
        local status = run { file = "/bin/sh", argv = { "sh", "-c", "exit " .. i % 100 } }
        told = told + 1
        return status
      end
    end
    for i, answer in ipairs(async.all(starts)) do assert.equal(i % 100, answer[1]) end
    assert.equal(200, told)
    async.sleep(0.01)
    local left = scratch.count(scratch.descriptors())
    assert.is_true(left <= before, string.format("%d descriptors, %d before", left, before))
  end))

  it("has a pid and takes signals until it has ended", task(function()
    local ended
    local sleeper = assert(process.spawn { file = "/bin/sleep", argv = { "sleep", "60" },
      on_exit = function(...) ended = { ... } end })
    local pid = sleeper:pid()
    assert.is_true(exists(pid))
    assert.equal("EINVAL", code_of(sleeper:signal(999)))
    assert.is_true(sleeper:signal(0))
    assert.is_true(sleeper:signal(15))
    assert(wait_until(function() return ended end))
    assert.same({ 0, 15 }, ended)
    assert.is_nil(sleeper:pid())
    assert.equal("ESRCH", code_of(sleeper:signal(9)))
    assert.is_false(exists(pid))
    sleeper:release()
    assert.equal("exhost.process", getmetatable(sleeper))
  end))

  it("released while it runs is reaped and not told", task(function()
    local told = false
    local child = assert(process.spawn { file = "/bin/sleep", argv = { "sleep", "0.05" },
      on_exit = function() told = true end })
    local pid = child:pid()
    child:release()
    child:release()
    assert.is_nil(child:pid())
    assert.equal("ESRCH", code_of(child:signal(9)))
    assert(wait_until(function() return not exists(pid) end), "a zombie is left")
    assert.is_false(told)
  end))

  it("may be released in its own call, and that may fail", task(function()
    local child
    child = process.spawn { file = "/bin/true", argv = { "true" },
      on_exit = function() child:release() end }
    assert(wait_until(function() return child:pid() == nil end))
    local ran = command.lua [[
      require("exhost.process_core").spawn { file = "/bin/true", argv = { "true" },
        on_exit = function() error("broken call") end }
      require("exhost.async").sleep(0.2)
      return 7]]
    assert.equal(7, ran.code)
    assert.matches("broken call", ran.err)
  end))

  it("that nobody wants to hear of is only a pid, and is reaped", task(function()
    local pid = assert(process.spawn { file = "/bin/true", argv = { "true" } })
    assert.equal("number", type(pid))
    assert(wait_until(function() return not exists(pid) end), "a zombie is left")
  end))

  it("is kept while it runs, though nobody holds it", task(function()
    local told
    process.spawn { file = "/bin/sleep", argv = { "sleep", "0.05" },
      on_exit = function() told = true end }
    collectgarbage() collectgarbage()
    assert(wait_until(function() return told end))
  end))

  it("outlives a host that ends", scratch.with(function(dir, path)
    dir:mkfifo("go")
    local ran = command.lua([[
      local path = ...
      local child = require("exhost.process_core").spawn { file = "/bin/sh",
        argv = { "sh", "-c", "read _ < " .. path .. "/go; echo done > " .. path .. "/out" },
        on_exit = print }
      child:release()]], { args = { path } })
    assert.same({ 0, "" }, { ran.code, ran.err })
    assert(wait_until(function() return dir:fifo_write("go", "\n") end))
    assert(wait_until(function() return dir:read("out") == "done\n" end))
  end))
end)
