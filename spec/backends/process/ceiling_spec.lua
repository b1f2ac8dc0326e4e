--- What the operator's ceiling denies a process.

local c = require "conformance.helper"
local system = require "exhost.system"

local MIB = 1024 * 1024
local uid = system.ids()
local name = (system.own_user() or {}).name

local function denied(ceiling, request, field)
  return c.with(function(ex)
    local asked = c.request({ "true" }, request)
    asked.engine_spec.params.pids = request and request.pids
    asked.pids = nil
    local _, err, code = ex:start(asked)
    assert.equal("denied", code)
    assert.matches(field, err, 1, true)
    assert.equal("not_found", select(3, ex:status(asked.execution_id)))
  end, { settings = { ceiling = ceiling } })
end

describe("process: the operator's ceiling", function()
  for _, entry in ipairs { uid, tostring(uid), name } do
    it(string.format("denies a user by %s %s", type(entry), entry),
      denied({ users = { deny = { "no-such-user", entry } } }, nil, "ceiling.users.deny"))
  end

  for amount, more in pairs { memory = { resources = { ram = { size = 65 * MIB } } },
    cores = { resources = { cpu = { cores = 1.5 } } }, pids = { pids = 65 } } do
    local most = { memory = 64 * MIB, cores = 1, pids = 64 }
    it("denies more of " .. amount, denied({ [amount] = most[amount] }, more, "ceiling." .. amount))
    it("denies a job without a limit of " .. amount,
      denied({ [amount] = most[amount] }, nil, "no limit is denied by ceiling." .. amount))
  end

  it("lets pass what is within it", c.with(function(ex)
    local asked = c.request({ "true" },
      { resources = { ram = { size = 64 * MIB }, cpu = { cores = 1 } } })
    asked.engine_spec.params.pids = 64
    assert.equal(0, assert(ex:run(asked)).exit_code)
  end, { settings = { ceiling = { memory = 64 * MIB, cores = 1, pids = 64,
    users = { deny = { uid + 1, "no-such-user" } } } } }))
end)
