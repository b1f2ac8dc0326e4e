local async = require "exhost.async"
local command = require "support.command"
local task = require "conformance.task"

describe("async.shield", function()
  it("is not cancelled, what comes after it is", task(function()
    local answers
    local running = async.spawn(function()
      answers = { async.shield(5, function() return async.sleep(0.01), async.interrupted() end),
        (select(2, async.sleep(0))) }
    end)
    async.cancel(running)
    assert.is_nil(answers)
    async.join(running)
    assert.same({ true, "cancelled" }, answers)
  end))

  it("works after a cancel and past a deadline: the one way to clean up", task(function()
    local cleaned = 0
    local function work()
      local ok, word = async.sleep(10)
      assert.is_true(async.shield(5, async.sleep, 0))
      cleaned = cleaned + 1
      return ok, word
    end
    local running = async.spawn(work)
    async.cancel(running)
    assert.same({ nil, "cancelled" }, { async.join(running) })
    assert.same({ nil, "timeout" }, { async.with_deadline(0.005, work) })
    assert.equal(2, cleaned)
  end))

  it("has its own deadline", task(function()
    async.with_deadline(0.001, function()
      assert.same({ nil, "timeout", "timeout" }, { async.shield(0.005, async.sleep, 10) })
      async.shield(10, function()
        assert.is_true(async.time_left() > 5)
        assert.same({ nil, "timeout", "timeout" }, { async.with_deadline(0.005, async.sleep, 10) })
      end)
      assert.equal("timeout", async.interrupted())
    end)
  end))

  it("ends with its call, also when that raises", task(function()
    local running = async.spawn(function()
      pcall(async.shield, 5, function()
        async.sleep(0.005)
        error("broken")
      end)
      return async.sleep(10)
    end)
    async.cancel(running)
    assert.same({ nil, "cancelled", "cancelled" }, { async.join(running) })
  end))
end)

describe("async.join and all", function()
  it("answer what the functions answer", task(function()
    local running = async.spawn(function(a, b)
      async.sleep(0.002)
      return a, nil, b
    end, nil, 1, 3)
    assert.same({ 1, nil, 3 }, { async.join(running) })
    assert.same({ 1, nil, 3 }, { async.join(running) })
    local results = async.all { function() async.sleep(0.004) return "slow" end,
      function() return end, function() error({}) end, function() error("broken", 0) end }
    assert.same({ { n = 1, "slow" }, { n = 0 } }, { results[1], results[2] })
    assert.same({ nil, "internal" }, { results[3][1], results[3][3] })
    assert.matches("^broken\nstack traceback", results[4][2])
    assert.same({}, async.all {})
  end))

  it("an interrupted waiter leaves the task alone", task(function()
    local running = async.spawn(function()
      async.sleep(0.03)
      return "done"
    end)
    assert.same({ nil, "timeout", "timeout" }, { async.with_deadline(0.005, async.join, running) })
    local waiter = async.spawn(function() return async.join(running) end)
    async.cancel(waiter)
    assert.equal("cancelled", select(2, async.join(waiter)))
    assert.equal("done", async.join(running))
  end))

  it("all share the deadline and the cancel of who waits", task(function()
    local words = {}
    local function work()
      local _, word = async.sleep(10)
      words[#words + 1] = word
    end
    async.with_deadline(0.005, async.all, { work, work })
    local waiter = async.spawn(function() async.all { work, work } end)
    async.cancel(waiter)
    async.join(waiter)
    assert.same({ "timeout", "timeout", "cancelled", "cancelled" }, words)
    local ended
    waiter = async.spawn(function()
      async.all { function() async.shield(5, async.sleep, 0.005) ended = true end }
    end)
    async.cancel(waiter)
    async.join(waiter)
    assert.is_true(ended)
  end))

  it("wake every waiter, though one of them fails", task(function()
    local running = async.spawn(function() async.sleep(0.005) end)
    local woken, failures = 0, 0
    local options = { on_error = function() failures = failures + 1 end }
    for i = 1, 3 do
      async.spawn(function()
        async.join(running)
        woken = woken + 1
        if i == 1 then error("broken") end
      end, options)
    end
    async.join(running)
    async.sleep(0.01)
    assert.same({ 3, 1 }, { woken, failures })
  end))
end)

describe("an error in a task", function()
  it("fails that task, and names every call on the way", task(function()
    local message
    local function deepest() async.sleep(0) error("broken") end
    local function middle() deepest() return 1 end
    local running = async.spawn(function() middle() return 1 end,
      { on_error = function(text) message = text end })
    local _, err, code = async.join(running)
    assert.equal("internal", code)
    assert.matches("tasks_spec.lua:%d+: broken\nstack traceback:", err)
    assert.matches("in function 'deepest'.*in function 'middle'", err)
    async.sleep(0.005)
    assert.equal(err, message)
  end))

  it("is reported, and neither ends the host nor who started it", task(function()
    local ran = command.lua [[
      local async, loop = require "exhost.async", require "exhost.loop"
      async.spawn(function() error("at once") end)
      async.spawn(function() async.sleep(0) error("later") end)
      local done
      async.spawn(function() async.await(function(report) done = report end) error("resumed") end)
      done()
      async.sleep(0.05)
      return 7]]
    assert.equal(7, ran.code)
    for _, text in ipairs { "at once", "later", "resumed" } do
      assert.matches("exhost: /proc/self/fd/9:%d: " .. text .. "\nstack traceback", ran.err)
    end
  end))

  it("may be a table", task(function()
    local object, got = {}, nil
    async.spawn(function() error(object) end, { on_error = function(e) got = e end })
    async.sleep(0.005)
    assert.equal(object, got)
  end))
end)

describe("async.count and cancel_all", function()
  it("know every task that has not ended", task(function()
    local before = async.count()
    local running = async.spawn(function() async.sleep(10) end)
    assert.equal(before + 1, async.count())
    async.cancel(running)
    assert.equal(before, async.count())
    local ran = command.lua [[
      local async = require "exhost.async"
      for i = 1, 3 do async.spawn(function() print((select(2, async.sleep(100)))) end) end
      return async.count()]]
    assert.same({ 4, "cancelled\ncancelled\ncancelled\n" }, { ran.code, ran.out })
  end))
end)
