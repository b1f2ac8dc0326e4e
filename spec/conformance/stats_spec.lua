local c = require "conformance.helper"
local loop = require "exhost.loop"

describe(c.name .. ": stats and update", function()
  it("counts time, memory and bytes", c.verb("stats",
    "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo up; while :; do sleep 0.05; done",
    function(ex, id)
      c.wait_for_output(ex, id, "up\n")
      local stats = assert(ex:stats(id))
      assert.is_true(stats.cpu_usage.total_usage > 0)
      assert.is_true(stats.memory.usage > 0 and stats.memory.limit >= stats.memory.usage)
      assert.is_true(stats.cpu_usage.percent >= 0 and stats.memory.percent > 0)
      assert.is_true(math.abs(stats.timestamp / 1000 - loop.time()) < 60)
      for _, group in ipairs { "network", "block_io" } do
        for _, value in pairs(stats[group]) do assert.is_true(value >= 0) end
      end
      local later = assert(ex:stats(id))
      assert.is_true(later.cpu_usage.total_usage >= stats.cpu_usage.total_usage)
    end))

  it("are errors without something that runs", c.verb("stats", "sleep 30", function(ex, id)
    local _, err, code = ex:stats("nobody")
    assert.same({ "not_found", "execution (nobody) not found" }, { code, err })
    assert(ex:cancel(id))
    assert.equal("already_completed", select(3, ex:stats(id)))
  end))

  it("update refuses what is no limit", c.verb("update", "sleep 30", function(ex, id)
    for _, limits in ipairs { {}, { memory = "x" }, { memory = -1 }, { cores = 0 }, { disk = 1 },
      { pids = "many" } } do
      local _, err, code = ex:update(id, limits)
      assert.equal("invalid", code)
      assert.matches("^update: ", err)
    end
    assert.equal("not_found", select(3, ex:update("nobody", { pids = 5 })))
  end))
end)
