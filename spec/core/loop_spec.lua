local loop = require "exhost.loop"
local async = require "exhost.async"
local command = require "support.command"
local task = require "conformance.task"

describe("loop.timer", function()
  it("fires once, not early, with no argument", task(function()
    local calls, arguments = 0, nil
    local before = loop.now()
    local waited = async.await(function(done)
      loop.timer(0.03, function(...)
        calls, arguments = calls + 1, select("#", ...)
        done(loop.now() - before)
      end)
    end)
    async.sleep(0.05)
    assert.same({ 1, 0 }, { calls, arguments })
    assert.is_true(waited >= 0.03, waited)
  end))

  it("takes zero, negative and fractional times", task(function()
    for _, seconds in ipairs { 0, -1, 0.0001, -math.huge } do
      assert.is_true(async.await(function(done)
        loop.timer(seconds, function() done(true) end)
      end))
    end
  end))

  it("takes a time that never comes, and can be stopped again and again", task(function()
    local fired = false
    local timer = loop.timer(math.huge, function() fired = true end)
    async.sleep(0.01)
    timer:stop()
    timer:stop()
    assert.is_false(fired)
  end))

  it("may be stopped inside its own call", task(function()
    local timer
    async.await(function(done)
      timer = loop.timer(0, function()
        timer:stop()
        done(true)
      end)
    end)
    timer:stop()
  end))

  it("is kept while it runs, though nobody holds it", task(function()
    local fired = false
    loop.timer(0.01, function() fired = true end)
    collectgarbage() collectgarbage()
    async.sleep(0.03)
    assert.is_true(fired)
  end))

  it("fires in the order of time", task(function()
    local order = {}
    for _, n in ipairs { 3, 1, 2 } do
      loop.timer(n * 0.01, function() order[#order + 1] = n end)
    end
    async.sleep(0.06)
    assert.same({ 1, 2, 3 }, order)
  end))

  it("an error in its call is reported and ends nothing", task(function()
    local ran = command.lua [[
      local loop, async = require "exhost.loop", require "exhost.async"
      loop.timer(0, function() error("broken call") end)
      loop.timer(0, function() error({}) end)
      async.sleep(0.02)
      return 7
    ]]
    assert.equal(7, ran.code)
    assert.matches("fd/9:2: broken call\nstack traceback:", ran.err)
    assert.matches("error object is a table value", ran.err)
  end))

  it("refuses other arguments", function()
    assert.has_error(function() loop.timer("x", print) end)
    assert.has_error(function() loop.timer(1) end)
    assert.has_error(function() loop.timer(1, "print") end)
    assert.has_error(function() loop.timer(1, print).stop({}) end)
  end)

  it("hides its metatable", function()
    local timer = loop.timer(10, print)
    assert.equal("exhost.timer", getmetatable(timer))
    timer:stop()
  end)
end)

describe("the clocks", function()
  it("now() only goes forward", function()
    local last = loop.now()
    for _ = 1, 1000 do
      local now = loop.now()
      assert.is_true(now >= last)
      last = now
    end
  end)

  it("time() is the time of day, also as text", function()
    assert.is_true(math.abs(loop.time() - os.time()) < 5)
    local text = loop.timestamp()
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%d%d%d%dZ$", text)
    local seconds = require("exhost.times").parse_rfc3339(text)
    assert.is_true(math.abs(seconds - loop.time()) < 5)
  end)

  it("boottime() gives whole nanoseconds as text, and never overflows", function()
    local now, ahead = loop.boottime(), loop.boottime(3600)
    assert.matches("^%d+$", now)
    local hours = (tonumber(ahead) - tonumber(now)) / 3600e9
    assert.is_true(math.abs(hours - 1) < 0.01)
    assert.equal("9223372036854775807", loop.boottime(1e10))
    assert.equal("9223372036854775807", loop.boottime(math.huge))
    assert.matches("^%d+$", loop.boottime(9.2e9))
  end)
end)

describe("loop.on_interrupt", function()
  it("keeps one function, which nil takes away", function()
    local before = loop.refs()
    loop.on_interrupt(function() end)
    assert.equal(before + 1, loop.refs())
    loop.on_interrupt(function() end)
    assert.equal(before + 1, loop.refs())
    loop.on_interrupt(nil)
    assert.equal(before, loop.refs())
    loop.on_interrupt()
    assert.has_error(function() loop.on_interrupt("x") end)
  end)
end)

describe("loop.step", function()
  it("says whether something is left to wait for", function()
    while loop.step() do end
    local fired
    local timer = loop.timer(0, function() fired = true end)
    while not fired do assert(loop.step() or fired) end
    timer:stop()
    while loop.step() do end
    assert.is_false(loop.step())
  end)
end)

describe("loop.refs", function()
  it("counts what C keeps", function()
    local before = loop.refs()
    local timer = loop.timer(10, print)
    assert.equal(before + 2, loop.refs())
    timer:stop()
    assert.equal(before, loop.refs())
  end)
end)

describe("loop.next_turn", function()
  it("comes once, after what is ready now, however long each takes", task(function()
    local order, rounds = {}, 0
    local function long()
      rounds = rounds + 1
      local ends = loop.now() + 0.003
      repeat until loop.now() > ends
      if rounds < 20 then loop.next_turn(long) end
    end
    loop.next_turn(long)
    loop.next_turn(long)
    loop.timer(0, function() order[#order + 1] = rounds end)
    async.sleep(0.2)
    assert.is_true(order[1] <= 4, order[1])
    assert.is_true(rounds >= 20)
  end))

  it("is refused without a function", function()
    assert.is_false(pcall(loop.next_turn))
  end)
end)

describe("loop.look", function()
  it("lets the loop look where calls come one upon the other, and not for long", task(function()
    local ran = command.sh([[exec $exhost lua --main /proc/self/fd/3 3<<'END'
      local loop = require "exhost.loop"
      local function turns(looks)
        local over, count = false, 0
        loop.timer(0.1, function() over = true end)
        for _ = 1, looks do loop.look() end
        repeat
          loop.step()
          count = count + 1
        until over
        return count
      end
      local asleep, before = turns(1), os.clock()
      local looking = turns(2)
      print(asleep, looking > asleep, os.clock() - before < 0.05)
END
]])
    assert.same({ "1\ttrue\ttrue\n", "" }, { ran.out, ran.err })
  end))
end)
