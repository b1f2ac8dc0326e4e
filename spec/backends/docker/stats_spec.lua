--- What a container uses, by its control group and by its engine.

local async = require "exhost.async"
local docker = require "support.docker"

describe("docker: stats", function()
  it("are read from the control group, and are what the engine says", docker.with(function(ex)
    local limit = 64 * 1024 * 1024
    local asked = docker.sh("cat /dev/zero | head -c 30000000 >/dev/null; sleep 60",
      { resources = { ram = { size = limit } } })
    assert(ex:start(asked))
    async.sleep(0.5)
    local backend, engine = assert(ex:backend()), docker.api()
    local call, paths = backend.api.call, {}
    function backend.api.call(self, method, path, ...)
      paths[#paths + 1] = path
      return call(self, method, path, ...)
    end
    local own = assert(ex:stats(asked.execution_id))
    backend.api.call = nil
    assert.same({}, paths)
    local told = assert(engine:call("GET", "/containers/" .. asked.job_id .. "/stats",
      { query = { stream = "false" } }))
    engine:close()
    assert.same({ limit, told.memory_stats.limit }, { own.memory.limit, limit })
    assert.truthy(own.cpu_usage.total_usage > 0)
    assert.truthy(own.cpu_usage.total_usage <= told.cpu_stats.cpu_usage.total_usage)
    assert.truthy(math.abs(own.memory.usage - told.memory_stats.usage) < 8 * 1024 * 1024)
    assert.equal(told.pids_stats.current, own.pids)
    assert.truthy(own.network.tx_packets >= 0)
  end))

  it("are the engine's where the group is not seen", docker.with(function(ex)
    local asked = docker.sh "sleep 60"
    assert(ex:start(asked))
    local stats = require "backends.docker.stats"
    local found = assert(stats(ex:backend(), { id = asked.execution_id, plan = {},
      record = { handle = asked.job_id }, job = asked.job_id, handle = asked.job_id }))
    assert.truthy(found.memory.usage > 0 and found.pids >= 1)
  end))
end)
