--- Settings that no backend reads: that they do what they say.

local async = require "exhost.async"
local c = require "conformance.helper"
local cli = require "support.cli"
local loop = require "exhost.loop"
local scratch = require "support.scratch"

describe("the setting", function()
  it("retention ends what is kept of an execution, so long after its end", c.with(function(ex)
    local request = c.request { "true" }
    assert(ex:run(request))
    assert(ex:recover())
    assert.equal("success", ex:status(request.execution_id))
    async.sleep(1.6)
    assert(ex:recover())
    assert.equal("not_found", (select(3, ex:status(request.execution_id))))
    assert.same({}, ex:list { all = true })
  end, { settings = { retention = 1.5 } }))

  it("retention is the start's, whoever concludes", c.with(function(ex)
    local id = assert(ex:start(c.request { "true" }))
    ex.settings.retention = 7200
    local left = assert(ex:wait(id)).expires_at - loop.time()
    assert.truthy(left > 3500 and left <= 3600, left)
  end, { settings = { retention = 3600 } }))

  it("retention ends it without a host that stays, at the next list", cli.with(function(x)
    x.dir:write("config.lua", "return { retention = '1s' }")
    local words = { "--config", x.path .. "/config.lua", "run", "--id", "e1", "--", "true" }
    assert.equal(0, x:run(words).code)
    assert.equal("e1\n", x:run({ "ps", "-aq" }).out)
    async.sleep(1.1)
    assert.equal("", x:run({ "ps", "-aq" }).out)
    assert.equal("not_found", select(2, x:json { "wait", "e1" }).code)
  end))

  it("retention also counts from a removal", c.with(function(ex)
    local request = c.request { "true" }
    assert(ex:run(request))
    assert(ex:remove(request.execution_id))
    assert.equal(1, #ex:list { all = true })
    async.sleep(1.6)
    assert(ex:recover())
    assert.same({}, ex:list { all = true })
  end, { settings = { retention = 1.5 } }))

  it("retention ends it on a host that stays up", cli.with(function(x)
    x.dir:write("config.lua", "return { retention = '1s' }")
    local config = { "--config", x.path .. "/config.lua" }
    local host = x:start { config[1], config[2], "serve" }
    assert.equal(0, x:run({ config[1], config[2], "run", "--id", "one", "--", "true" }).code)
    assert.is_true(scratch.wait_until(function() return x:run({ "ps", "-aq" }).out == "" end))
    host:signal(15)
    host:wait()
  end))

  it("events_limit bounds a story, which fails nothing", c.with(function(ex)
    local request = c.request(c.sh "exit 3")
    assert.equal(3, assert(ex:run(request)).exit_code)
    local dir = assert(ex.state:open_execution(request.execution_id))
    local size = dir:stat("events.jsonl").size
    dir:close()
    assert.is_true(size > 0 and size <= 400, size)
    assert.equal("accepted", ex:why(request.execution_id)[1].event)
  end, { settings = { events_limit = 400 } }))
end)
