local async = require "exhost.async"
local loop = require "exhost.loop"
local task = require "conformance.task"

--- An operation that never ends by itself; `log` gets "started" and "aborted".
local function never(log)
  return async.await(function()
    log[#log + 1] = "started"
    return function() log[#log + 1] = "aborted" end
  end)
end

describe("async.await", function()
  it("answers what the operation reports, now or later", task(function()
    local function answers(...) return { n = select("#", ...), ... } end
    assert.same({ n = 3, 1, nil, false },
      answers(async.await(function(done) done(1, nil, false) end)))
    assert.same({ n = 0 },
      answers(async.await(function(done) loop.timer(0, function() done() end) end)))
  end))

  it("counts the first report only", task(function()
    local again
    assert.equal("first", async.await(function(done)
      again = done
      done("first")
      done("second")
    end))
    assert.equal("next", async.await(function(done)
      again("stray")
      loop.timer(0, function()
        again("stray")
        done("next")
      end)
    end))
  end))

  it("is for tasks only", function()
    for _, fn in ipairs { function() async.sleep(0) end, async.yield, async.interrupted,
      async.time_left, function() async.with_deadline(1, print) end,
      function() async.shield(1, print) end, function() async.all {} end,
      coroutine.wrap(function() async.sleep(0) end) } do
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.matches("this function suspends: call it from a task", err)
    end
  end)

  it("passes on what `start` raises", task(function()
    local ok, err = pcall(async.await, function() error("no start", 0) end)
    assert.same({ false, "no start" }, { ok, err })
    assert.is_true(async.sleep(0))
  end))

  it("works inside pcall, iterators and metamethods", task(function()
    local t = setmetatable({}, { __index = function(_, key)
      async.sleep(0)
      return key
    end })
    assert.same({ true, "x" }, { pcall(function() return t.x end) })
    local function step(_, i)
      async.sleep(0)
      return i < 3 and i + 1 or nil
    end
    local sum = 0
    for i in step, nil, 0 do sum = sum + i end
    assert.equal(6, sum)
  end))
end)

describe("a deadline", function()
  it("aborts the operation first, then says timeout", task(function()
    local log = {}
    local function answers(...) log[#log + 1] = "resumed" return ... end
    assert.same({ nil, "timeout", "timeout" },
      { async.with_deadline(0.01, function() return answers(never(log)) end) })
    assert.same({ "started", "aborted", "resumed" }, log)
  end))

  it("that has passed begins nothing", task(function()
    local log = {}
    for _, seconds in ipairs { 0, -1 } do
      assert.same({ nil, "timeout", "timeout" }, { async.with_deadline(seconds, never, log) })
    end
    assert.same({}, log)
  end))

  it("inside of another is never later than it", task(function()
    assert.is_nil(async.time_left())
    async.with_deadline(10, function()
      async.with_deadline(1000, function() assert.is_true(async.time_left() <= 10) end)
      async.with_deadline(1, function() assert.is_true(async.time_left() <= 1) end)
      async.with_deadline(nil, function() assert.is_true(async.time_left() > 1) end)
      assert.is_true(async.time_left() > 1)
    end)
    assert.is_nil(async.time_left())
  end))

  it("of the outer call ends the inner ones too, of the inner only itself", task(function()
    local outer = { async.with_deadline(0.01, function()
      local inner = { async.with_deadline(10, async.sleep, 10) }
      assert.same({ nil, "timeout", "timeout" }, inner)
      return async.interrupted()
    end) }
    assert.same({ "timeout" }, outer)
    async.with_deadline(10, function()
      assert.same({ nil, "timeout", "timeout" }, { async.with_deadline(0.01, async.sleep, 10) })
      assert.is_nil(async.interrupted())
      assert.is_true(async.sleep(0))
    end)
  end))

  it("goes with its call, also when that raises", task(function()
    local ok, err = pcall(async.with_deadline, 0.01, error, "broken", 0)
    assert.same({ false, "broken" }, { ok, err })
    assert.is_true(async.sleep(0.02))
  end))

  it("hands over what the call answers", task(function()
    local function three() return 1, nil, 3 end
    assert.equal(3, select("#", async.with_deadline(1, three)))
    assert.same({ 1, nil, 3 }, { async.with_deadline(1, three) })
  end))

  it("may be one that never comes", task(function()
    assert.is_true(async.with_deadline(math.huge, async.sleep, 0))
  end))
end)

describe("async.cancel", function()
  it("aborts the operation, and every later one at once", task(function()
    local log, answers = {}, nil
    local running = async.spawn(function()
      answers = { { never(log) }, { never(log) }, { async.sleep(10) }, { async.interrupted() } }
    end)
    async.cancel(running)
    assert.same({ "started", "aborted" }, log)
    local word = { nil, "cancelled", "cancelled" }
    assert.same({ word, word, word, { "cancelled" } }, answers)
    assert.is_true(running.done)
    async.cancel(running)
  end))

  it("before the task first suspends lets it suspend no more", task(function()
    local log, answer = {}, nil
    local running
    running = async.spawn(function()
      async.sleep(0)
      async.cancel(running)
      answer = { never(log) }
    end)
    async.join(running)
    assert.same({ {}, { nil, "cancelled", "cancelled" } }, { log, answer })
  end))

  it("from inside the operation's start counts too", task(function()
    local running, aborted, answer
    running = async.spawn(function()
      async.sleep(0)
      answer = { async.await(function()
        async.cancel(running)
        return function() aborted = true end
      end) }
    end)
    async.join(running)
    assert.same({ true, { nil, "cancelled", "cancelled" } }, { aborted, answer })
  end))

  it("may come while the abort reports", task(function()
    local answer
    local running = async.spawn(function()
      answer = { async.await(function(done) return function() done("late") end end) }
    end)
    async.cancel(running)
    assert.same({ "late" }, answer)
  end))

  it("after the end does nothing", task(function()
    local running = async.spawn(function() return 1 end)
    async.cancel(running)
    assert.equal(1, async.join(running))
  end))
end)

describe("many at once", function()
  it("are no more than asked for, answer in order, and fail alone", task(function()
    local now_at, most, list = 0, 0, {}
    for i = 1, 9 do
      list[i] = function()
        now_at = now_at + 1
        most = math.max(most, now_at)
        async.yield()
        now_at = now_at - 1
        if i == 4 then error("no 4", 0) end
        return i, nil, i
      end
    end
    local results = async.all(list, 3)
    assert.equal(3, most)
    assert.same({ n = 3, 9, nil, 9 }, results[9])
    assert.same({ n = 3, nil, "no 4", "internal" }, results[4])
  end))

  it("give way to others after a while, and learn that they were interrupted", task(function()
    local turns, going = 0, true
    local other = async.spawn(function()
      while going do
        turns = turns + 1
        async.yield()
      end
    end)
    local give_way, from = async.pacer(), loop.now()
    while loop.now() - from < 0.1 do assert.is_true(give_way()) end
    going = false
    async.join(other)
    assert.is_true(turns > 2)
    local busy = async.spawn(function()
      local own = async.pacer()
      while true do
        local ok, word = own()
        if not ok then return word end
      end
    end)
    async.yield()
    async.cancel(busy)
    assert.equal("cancelled", async.join(busy))
  end))
end)
