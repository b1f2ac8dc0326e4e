local async = require "exhost.async"
local command = require "support.command"
local json = require "exhost.json"
local logread = require "exhost.logread"
local logs = require "support.logs"
local scratch = require "support.scratch"
local system = require "exhost.system"

local wait_until = scratch.wait_until

describe("logread, follow", function()
  it("gives what is written, and ends when told that no more will come", scratch.with(function(dir)
    logs.write(dir, { { "stdout", "old\n" } })
    local reading = logs.open(dir, { follow = true })
    reading:wait_for("old\n")
    for i = 1, 20 do
      logs.write(dir, { { i % 2 == 0 and "stdout" or "stderr", "x" .. i .. "\n" } })
      reading:wait_for(reading:text() .. "x" .. i .. "\n")
    end
    assert.is_nil(reading.ended)
    dir:append("stdout.log", "last")
    reading.reader:finish()
    reading.reader:finish()
    local text, code = reading:rest()
    assert.matches("^old\nx1\n.*x20\nlast$", text)
    assert.equal("ok", code)
  end))

  it("gives bytes once, though their record comes later", scratch.with(function(dir)
    logs.write(dir, {})
    local reading = logs.open(dir, { follow = true })
    dir:append("stdout.log", "12345")
    reading:wait_for("12345")
    dir:append("log.idx", logs.record(logs.START, "stdout", 0, 5))
    dir:append("stdout.log", "678")
    reading:wait_for("12345678")
    dir:append("log.idx", logs.record(logs.START, "stdout", 5, 3))
    reading.reader:finish()
    assert.equal("12345678", (reading:rest()))
  end))

  it("begins before the files are there", scratch.with(function(dir)
    local reading = logs.open(dir, { follow = true, lines = 5 })
    async.sleep(0.01)
    logs.write(dir, { { "stderr", "first\n" } })
    reading:wait_for("first\n")
    reading:close()
  end))

  it("leaves out history, or all but the last lines", scratch.with(function(dir)
    logs.write(dir, { { "stdout", "old 1\nold 2\n" } })
    for _, case in ipairs { { { tail = true }, "" }, { { lines = 0 }, "" },
      { { lines = 1 }, "old 2\n" } } do
      case[1].follow = true
      local reading = logs.open(dir, case[1])
      reading:wait_for(case[2])
      dir:append("stdout.log", "new\n")
      reading:wait_for(case[2] .. "new\n")
      reading:close()
      dir:write("stdout.log", "old 1\nold 2\n")
    end
  end))

  it("holds an unfinished JSON line until it is finished", scratch.with(function(dir)
    logs.write(dir, { { "stdout", "hal" } })
    local reading = logs.open(dir, { follow = true, format = "jsonl" })
    async.sleep(0.02)
    reading:read()
    assert.equal("", reading:text())
    logs.write(dir, { { "stdout", "f\n" } })
    assert(wait_until(function()
      reading:read()
      return reading:text() ~= ""
    end))
    local line = json.decode(reading:text())
    assert.same({ "half", "2026-01-02T03:00:00.000000000Z" }, { line.data, line.time })
    reading:close()
  end))

  it("goes on after somebody truncated the file", scratch.with(function(dir, path)
    logs.write(dir, { { "stdout", "before\n" } })
    local reading = logs.open(dir, { follow = true })
    reading:wait_for("before\n")
    command.sh(": > $D/stdout.log", { env = { D = path } })
    async.sleep(0.02)
    logs.write(dir, { { "stdout", "after\n" } })
    reading:wait_for("before\nafter\n")
    reading:close()
  end))

  it("ends when the folder goes", scratch.with(function(dir)
    local sub = dir:open("sub", true)
    logs.write(sub, { { "stdout", "kept\n" } })
    local reading = logs.open(sub, { follow = true })
    reading:wait_for("kept\n")
    dir:rename("sub", dir, "trash")
    assert.same({ "kept\n", "ok" }, { reading:rest() })
    sub:close()
  end))

  it("keeps pace with a writer, byte for byte, in every format", scratch.with(function(dir, path)
    dir:create("stdout.log", "")
    local plain = logs.open(dir, { follow = true })
    local stamped = logs.open(dir, { follow = true, timestamps = true })
    local lines = logs.open(dir, { follow = true, format = "jsonl" })
    local writer = command.start("/bin/sh", { "sh", "-c",
      "i=0; while [ $i -lt 3000 ]; do echo line-$i; i=$((i+1)); done >> $D/stdout.log" },
      { env = { D = path } })
    writer:wait()
    local whole = dir:read("stdout.log")
    for _, reading in ipairs { plain, stamped, lines } do reading.reader:finish() end
    assert.is_true(whole == plain:rest())
    assert.is_true(whole == stamped:rest():gsub("%d%d%d%d%-%d%d%-%d%dT[%d:.]+Z ", ""))
    local data = {}
    for line in lines:rest():gmatch("[^\n]+") do data[#data + 1] = json.decode(line).data end
    assert.is_true(whole == table.concat(data, "\n") .. "\n")
  end))
end)

describe("a reader of logs", function()
  local MUCH = ("0123456789abcde\n"):rep(65536) -- 1 MiB, more than a pipe holds

  it("that is slow holds nobody up, and loses nothing", scratch.with(function(dir)
    logs.write(dir, { { "stdout", MUCH } })
    for _, options in ipairs { {}, { format = "frames" }, { timestamps = true },
      { format = "jsonl" } } do
      local reading = assert(logs.open(dir, options))
      for _ = 1, 5 do async.sleep(0.001) end -- the loop has its turn, the pipe is full
      assert.is_nil(reading.ended)
      local text, code = reading:rest()
      assert.equal("ok", code)
      assert.equal(65536, select(2, text:gsub("0123456789abcde", "")))
    end
  end))

  it("that goes away ends it, with data to give and without", scratch.with(function(dir)
    logs.write(dir, { { "stdout", MUCH } })
    for _, options in ipairs { {}, { follow = true }, { follow = true, tail = true } } do
      local reading = assert(logs.open(dir, options))
      async.sleep(0.005)
      system.close(reading.fd)
      reading.fd = nil
      assert(wait_until(function() return reading.ended end))
      assert.equal("EPIPE", reading.code)
      reading:close()
    end
  end))

  it("in blocking mode does not block the loop", scratch.with(function(dir, path)
    -- The pipe's write end is shared with a shell, as a terminal is: it stays blocking.
    logs.write(dir, { { "stdout", MUCH } })
    dir:mkfifo("go")
    local ran = command.sh([[
      "$exhost" lua /proc/self/fd/8 $D | { read go < $D/go; cat; } > $D/out]],
      { env = { D = path }, fds = { [8] = (function()
        local script = require("exhost.dir").memory("script", [[
          local dirs, async = require "exhost.dir", require "exhost.async"
          local logread = require "exhost.logread"
          local dir, ended = dirs.open(...), false
          local reader = logread.open(dir, dir, { target = 1, follow = true,
            on_end = function() ended = true end })
          async.sleep(0.1)
          dir:append("stdout.log", "more\n")
          async.sleep(0.1)
          while not dir:fifo_write("go", "\n") do async.sleep(0.01) end
          reader:finish()
          while not ended do async.sleep(0.01) end]])
        return script:take()
      end)() } })
    assert.equal("", ran.err)
    assert.is_true(MUCH .. "more\n" == dir:read("out"))
  end))

  it("may be closed at any time, and then tells nothing", scratch.with(function(dir)
    logs.write(dir, { { "stdout", MUCH } })
    for wait = 0, 3 do
      local reading = assert(logs.open(dir, { follow = wait > 1 }))
      for _ = 1, wait do async.yield() end
      reading:close()
      reading.reader:finish()
      reading.reader:close()
      async.sleep(0.002)
      assert.is_nil(reading.ended)
    end
  end))

  it("may be closed in its own call, and that may fail", scratch.with(function(dir, path)
    logs.write(dir, { { "stdout", "x\n" } })
    local reader, told = nil, 0
    reader = logread.open(dir, dir, { target = assert(logread.own_output(
      require("exhost.dir").memory("out", ""):take())), on_end = function()
        told = told + 1
        reader:close()
      end })
    assert(wait_until(function() return told == 1 end))
    local ran = command.lua([[
      local dir = require("exhost.dir").open(...)
      require("exhost.logread").open(dir, dir, { target = 1,
        on_end = function() error("broken call") end })
      require("exhost.async").sleep(0.1)
      return 7]], { args = { path } })
    assert.same({ 7, "x\n" }, { ran.code, ran.out })
    assert.matches("broken call", ran.err)
  end))

  it("leaves no descriptor open", scratch.with(function(dir)
    logs.write(dir, { { "stdout", "x\n" }, { "stderr", "y\n" } })
    logs.read(dir, { follow = false })
    async.sleep(0.005)
    collectgarbage() collectgarbage()
    local before = scratch.count(scratch.descriptors())
    for i = 1, 20 do
      local reading = assert(logs.open(dir, { follow = i % 2 == 0 }))
      if i % 3 == 0 then async.sleep(0.001) end
      reading:close()
    end
    assert.is_nil(logs.open(dir, { target = 9999 }))
    async.sleep(0.005)
    collectgarbage() collectgarbage()
    assert.is_true(scratch.count(scratch.descriptors()) <= before)
  end))
end)
