--- A host with many containers, on a fake engine. EXHOST_MANY says how many; figures are printed
-- where it is set.

local async = require "exhost.async"
local dirs = require "exhost.dir"
local engine = require "support.engine"
local executor = require "exhost.executor"
local fake_containers = require "support.fake_containers"
local json = require "exhost.json"
local loop = require "exhost.loop"
local scratch = require "support.scratch"

local MANY = tonumber(os.getenv("EXHOST_MANY") or 300)
local ID = "many"
local TURN = 0.001

--- An execution whose container has ended with 3 while no host was there.
local function leave(root, number)
  local id = "many-" .. number
  local dir = assert(dirs.open(root .. "/executions/" .. id, { create = true }))
  for name, content in pairs {
    lock = "",
    ["state.json"] = json.encode { format = 1, phase = "running", backend = "docker",
      job_id = id, handle = id, container = fake_containers.id(number) },
    ["plan.json"] = "{}",
    exit = "format=1\nengine=1\ncode=3\nfinished_at=2026-01-02T03:04:06.7Z\n",
  } do
    assert(dir:write(name, content))
  end
  dir:close()
end

--- Run fn beside a task that wants its turn all the time. Answers the seconds that fn took, the
--- longest that the other waited, and how often it had its turn. Suspends.
local function beside_others(fn)
  local going, longest, last, turns = true, 0, loop.now(), 0
  local other = async.spawn(function()
    while going do
      async.sleep(TURN)
      longest, last = math.max(longest, loop.now() - last), loop.now()
      turns = turns + 1
    end
  end)
  local from = loop.now()
  local ok, err = pcall(fn)
  local took, had = loop.now() - from, turns
  going = false
  async.join(other)
  assert(ok, err)
  return took, longest, had
end

local function count(fake, pattern)
  local _, n = fake.process:stdout():gsub(pattern, "")
  return n
end

describe("docker: very many executions", function()
  it("are taken up, listed and removed one by one, a few at a time, and others have their turns",
    scratch.with(function(_, path)
      local fake = engine.fake(path, { many = MANY, owner = ID })
      local function open()
        return assert(executor.open { id = ID, state_dir = path .. "/state", backend = "docker",
          settings = { backends = { docker = { host = fake.socket } } } })
      end
      local ex = open()
      for number = 1, MANY do leave(path .. "/state/" .. ID, number) end
      local figures = {}
      local function measure(name, least, fn)
        local took, longest, turns = beside_others(fn)
        figures[#figures + 1] = string.format("%s %d: %.2f s, others had %d turns and waited for "
          .. "%.0f ms at most", name, MANY, took, turns, longest * 1000)
        assert.is_true(turns >= least, figures[#figures])
      end
      measure("recover", MANY / 10, function() assert(ex:recover()) end)
      assert.equal(MANY, count(fake, "GET %S+/json\n"))
      local list -- of a few it gives no turn: it takes less than one
      measure("list", 0, function() list = assert(ex:list()) end)
      assert.equal(MANY, #list)
      assert.same({ "failed", 3 }, { list[1].status, list[1].exit_code })
      measure("cleanup", MANY / 100, function() assert(ex:cleanup()) end)
      assert.equal(MANY, count(fake, "DELETE "))
      assert.same({}, ex:list())
      assert.is_true(count(fake, "GET %S+/containers/json") <= 1)
      ex:close()
      ex = open()
      assert.equal(MANY, #assert(ex:list { all = true }))
      ex:close()
      fake:quit()
      if os.getenv("EXHOST_MANY") then print("\n" .. table.concat(figures, "\n")) end
    end))

  it("left on the engine alone are removed page by page", scratch.with(function(_, path)
    local many = math.max(MANY, 1100)
    local fake = engine.fake(path, { many = many, owner = ID })
    local ex = assert(executor.open { id = ID, state_dir = path .. "/state", backend = "docker",
      settings = { backends = { docker = { host = fake.socket } } } })
    local _, _, turns = beside_others(function() assert(ex:cleanup()) end)
    assert.equal(many, count(fake, "DELETE "))
    assert.equal(math.floor(many / 500) + 1 + (many % 500 > 0 and 1 or 0),
      count(fake, "GET %S+/containers/json"))
    assert.is_true(turns >= many / 100, turns)
    ex:close()
    fake:quit()
  end))

  it("left on an engine are removed by a cleanup that names no backend, if it is there",
    scratch.with(function(_, path)
      local fake = engine.fake(path, { many = 3, owner = ID })
      local function open(host)
        return assert(executor.open { id = ID, state_dir = path .. "/state",
          settings = { backends = { docker = { host = host } } } })
      end
      local ex = open(fake.socket)
      assert(ex:cleanup())
      assert.equal(3, count(fake, "DELETE "))
      ex:close()
      fake:quit()
      ex = open("unix://" .. path .. "/nobody")
      assert.is_true(ex:cleanup())
      leave(path .. "/state/" .. ID, 1)
      assert.equal("io", (select(3, ex:cleanup())))
      ex:close()
    end))

  it("are removed also behind more than a page of what cannot be, which is told",
    scratch.with(function(_, path)
      local stuck, more = 510, 20
      local fake = engine.fake(path, { many = stuck + more, owner = ID, stuck = stuck })
      local ex = assert(executor.open { id = ID, state_dir = path .. "/state", backend = "docker",
        settings = { backends = { docker = { host = fake.socket } } } })
      local _, err, code = ex:cleanup()
      assert.equal("io", code)
      assert.matches(stuck .. " could not be removed: container 000000000000 of job many%-%d+: ",
        err)
      assert.matches("device or resource busy.*; and " .. stuck - 5 .. " more", err)
      assert.equal(stuck, #assert(ex:backend():list()))
      ex:close()
      fake:quit()
    end))

  it("are removed though networks cannot be listed, which is told", scratch.with(function(_, path)
    local fake = engine.fake(path, { many = 2, owner = ID, unlisted = true })
    local ex = assert(executor.open { id = ID, state_dir = path .. "/state", backend = "docker",
      settings = { backends = { docker = { host = fake.socket } } } })
    local _, err = ex:cleanup()
    assert.matches("networks: list: no store", err, 1, true)
    assert.same({}, assert(ex:backend():list()))
    ex:close()
    fake:quit()
  end))
end)
