--- The ledger of GPUs is made again where it was lost: from records of executions that hold some.

local executor = require "exhost.executor"
local gpus = require "support.gpus"
local ledger = require "exhost.ledger"
local scratch = require "support.scratch"
local system = require "exhost.system"

local UUID, OTHER = "GPU-932b", "GPU-other"

--- The backend `process`, but that it takes requests for GPUs, and asks policies.
local GIVES_GPUS = [[
local process = require "backends.process.init"
local made = {}
for key, value in pairs(process) do made[key] = value end
made.name = "box"
made.apply_policies = function() return true end
made.open = function(config)
  local opened = process.open(config)
  local plan = opened.plan
  function opened:plan(request, facts)
    local plain = {}
    for key, value in pairs(request) do plain[key] = value end
    plain.resources = nil
    return plan(self, plain, facts)
  end
  return opened
end
return made]]

local function asked(uuid)
  local id = "e-" .. system.random_hex(6)
  return { job_id = id, execution_id = id, resources = { gpus = { { uuid = uuid } } },
    engine_spec = { type = "box", params = { cmd = { "sleep", "60" } } }, stop_grace = 0 }
end

local function remove(path, name)
  assert(os.execute("rm -r " .. path .. "/state/gpus/" .. (name or "")) == 0)
end

local function with(body)
  return scratch.with(function(dir, path)
    dir:open("backends", true):open("box", true):write("init.lua", GIVES_GPUS)
    local machine, open = gpus.make(path .. "/machine"), {}
    local function host(id)
      local ex = assert(executor.open { id = id, state_dir = path .. "/state", backend = "box",
        lua_path = path, settings = { inventory = machine } })
      open[#open + 1] = ex
      return ex
    end
    local ok, err = xpcall(body, debug.traceback, host("one"), path, host)
    for _, ex in ipairs(open) do
      ex:cleanup()
      ex:close()
    end
    assert(ok, err)
  end)
end

local function refused(ex, uuid, holder)
  local _, err, code = ex:start(asked(uuid))
  assert.equal("unavailable", code)
  assert.matches("GPU " .. uuid .. " is held by " .. holder, err, 1, true)
end

describe("a ledger that was lost", function()
  it("is complete again before the next GPU is given, for every executor", with(
    function(ex, path, host)
      local first, second = asked(UUID), asked(OTHER)
      assert(ex:start(first))
      assert(host("two"):start(second))
      remove(path)
      refused(host("three"), OTHER, "two/" .. second.execution_id)
      refused(ex, UUID, "one/" .. first.execution_id)
      local held = ledger.holders(ex.state)
      assert.same({ [UUID] = "one/" .. first.execution_id,
        [OTHER] = "two/" .. second.execution_id }, held)
      assert(ex:cancel(first.execution_id))
      assert(ex:start(asked(UUID)))
    end))

  it("has again what a host recovers", with(function(ex, path)
    local first = asked(UUID)
    assert(ex:start(first))
    remove(path, UUID)
    assert.same({}, ledger.holders(ex.state))
    assert(ex:recover())
    assert.same({ [UUID] = "one/" .. first.execution_id }, ledger.holders(ex.state))
    remove(path)
    assert(ex:pause(first.execution_id))
    assert(ex:recover())
    assert.same({ [UUID] = "one/" .. first.execution_id }, ledger.holders(ex.state))
    refused(ex, UUID, "one/" .. first.execution_id)
    assert(ex:cancel(first.execution_id))
    assert(ex:recover())
    assert.same({}, ledger.holders(ex.state))
  end))

  it("leaves to another what it was given meanwhile", with(function(ex, path)
    local first, second = asked(UUID), asked(UUID)
    assert(ex:start(first))
    remove(path, UUID)
    assert(ex:start(second))
    assert(ex:recover())
    assert.same({ [UUID] = "one/" .. second.execution_id }, ledger.holders(ex.state))
    assert(ex:cancel(second.execution_id))
    assert(ex:recover())
    assert.same({ [UUID] = "one/" .. first.execution_id }, ledger.holders(ex.state))
  end))

  it("says nothing of executions that an older exhost started", with(function(ex)
    assert.is_true(ledger.keep(ex.state, "e", true))
    assert.is_nil(ex.state.root:stat("gpus"))
  end))
end)
