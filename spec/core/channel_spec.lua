local async = require "exhost.async"
local channel = require "exhost.channel"
local command = require "support.command"
local scratch = require "support.scratch"
local system = require "exhost.system"
local task = require "conformance.task"

local wait_until = scratch.wait_until

local LONGEST = 511 -- with its newline, a line is as long as the buffer

local code_of = command.code_of

--- A channel whose lines are collected ("end" for the end), and its other end.
local function open()
  local lines = {}
  local c, other = channel.open(function(line) lines[#lines + 1] = line or "end" end)
  return assert(c), other, lines
end

local function written(text)
  local c, other, lines = open()
  system.write(other, text)
  system.close(other)
  assert(wait_until(function() return lines[#lines] == "end" end))
  c:close()
  return lines
end

describe("a channel", function()
  it("gives lines without their newline, and then its end, once", task(function()
    assert.same({ "one", "two", "", "three", "end" }, written("one\ntwo\n\nthree\n"))
    assert.same({ "end" }, written(""))
    assert.same({ "\255 x ", "end" }, written("\255 x \n"))
  end))

  it("puts pieces together", task(function()
    local c, other, lines = open()
    for piece in ("ready\nstarted 42\n"):gmatch(".") do
      system.write(other, piece)
      async.yield()
    end
    assert(wait_until(function() return #lines == 2 end))
    assert.same({ "ready", "started 42" }, lines)
    c:close()
    system.close(other)
  end))

  it("gives what was said by one that ended without having read all", task(function()
    for _ = 1, 10 do
      local c, other, lines = open()
      assert(c:send("go"))
      system.write(other, "error 3 park\nmore\n")
      system.close(other)
      assert(wait_until(function() return lines[#lines] == "end" end))
      assert.same({ "error 3 park", "more", "end" }, lines)
      c:close()
    end
  end))

  it("gives no line that was not finished", task(function()
    assert.same({ "whole", "end" }, written("whole\nhalf"))
  end))

  it("ends at a line that is too long, or no text", task(function()
    local longest = ("x"):rep(LONGEST)
    assert.same({ longest, "after", "end" }, written(longest .. "\nafter\n"))
    assert.same({ "before", "end" }, written("before\n" .. longest .. "x\nafter\n"))
    assert.same({ "before", "end" }, written("before\na\0b\nafter\n"))
  end))

  it("sends lines", task(function()
    local c, other, lines = open()
    assert.is_true(c:send("go"))
    assert.is_true(c:send(("x"):rep(LONGEST)))
    assert.equal("go\n" .. ("x"):rep(LONGEST) .. "\n", (system.read_some(other)))
    assert.same({ nil, "EINVAL: invalid argument", "EINVAL" }, { c:send("two\nlines") })
    assert.equal("EINVAL", code_of(c:send("a\0b")))
    assert.equal("E2BIG", code_of(c:send(("x"):rep(LONGEST + 1))))
    system.close(other)
    assert(wait_until(function() return lines[1] == "end" end))
  end))

  it("does not wait for a peer that does not read, and none dies of one that left", task(function()
    local c, other = open()
    local code
    while not code do code = code_of(c:send(("x"):rep(LONGEST))) end
    assert.equal("EAGAIN", code)
    system.close(other)
    assert.equal("EPIPE", code_of(c:send("go")))
    c:close()
    c:close()
    assert.equal("EPIPE", code_of(c:send("go")))
  end))

  it("closed from inside a call gives nothing more", task(function()
    local lines, c = {}, nil
    local opened, other = channel.open(function(line)
      lines[#lines + 1] = line or "end"
      c:close()
    end)
    c = opened
    system.write(other, "one\ntwo\n")
    assert(wait_until(function() return #lines > 0 end))
    async.sleep(0.01)
    assert.same({ "one" }, lines)
    system.close(other)
  end))

  it("goes on after a call that failed", task(function()
    local ran = command.lua [[
      local system, lines = require "exhost.system", 0
      local c, other = require("exhost.channel").open(function(line)
        lines = lines + 1
        error("broken call")
      end)
      system.write(other, "one\ntwo\n")
      require("exhost.async").sleep(0.2)
      c:close()
      return lines]]
    assert.equal(2, ran.code)
    assert.matches("broken call", ran.err)
  end))

  it("leaves no descriptor open", task(function()
    collectgarbage() collectgarbage()
    local before = scratch.count(scratch.descriptors())
    for _ = 1, 20 do
      local c, other = open()
      c:close()
      system.close(other)
    end
    async.sleep(0.01)
    assert.is_true(scratch.count(scratch.descriptors()) <= before)
    assert.has_error(function() channel.open("x") end)
    assert.has_error(function() channel.open() end)
  end))
end)

describe("channel.fifo_hangup", function()
  --- A reader of $D/fifo that lives until it is signalled.
  local function reader(path)
    local running = command.start("/bin/sh", { "sh", "-c", "exec 3<>$D/fifo; echo up; sleep 60" },
      { env = { D = path } })
    running:wait_for("up\n")
    return running
  end

  -- The shell's sleep holds the FIFO too, so the whole session has to go.
  local function leave(running)
    command.sh("kill -9 -$PID", { env = { PID = tostring(running.process:pid()) } })
    running:wait()
  end

  it("tells once that the last reader left", scratch.with(function(dir, path)
    dir:mkfifo("fifo")
    local first, second = reader(path), reader(path)
    local told = 0
    local hangup = assert(channel.fifo_hangup(dir, "fifo", function() told = told + 1 end))
    leave(first)
    async.sleep(0.02)
    assert.equal(0, told)
    leave(second)
    assert(wait_until(function() return told > 0 end))
    async.sleep(0.02)
    assert.equal(1, told)
    hangup:close()
    assert.equal("exhost.hangup", getmetatable(hangup))
  end))

  it("needs a reader", scratch.with(function(dir)
    dir:mkfifo("fifo")
    dir:write("file", "")
    assert.equal("ENXIO", code_of(channel.fifo_hangup(dir, "fifo", print)))
    assert.equal("ENOENT", code_of(channel.fifo_hangup(dir, "none", print)))
    assert.equal("EINVAL", code_of(channel.fifo_hangup(dir, "file", print)))
    assert.equal("EINVAL", code_of(channel.fifo_hangup(dir, "fifo\0", print)))
    assert.has_error(function() channel.fifo_hangup(dir, "fifo") end)
  end))

  it("closed tells nothing", scratch.with(function(dir, path)
    dir:mkfifo("fifo")
    local running, told = reader(path), false
    local hangup = assert(channel.fifo_hangup(dir, "fifo", function() told = true end))
    hangup:close()
    hangup:close()
    leave(running)
    async.sleep(0.02)
    assert.is_false(told)
  end))
end)
