--- Limits as the kernel keeps them. Needs control groups that we may use.

local c = require "conformance.helper"
local cgroup = require "exhost.cgroup"

local groups = cgroup.find()
local MIB = 1024 * 1024

local function limited(name, body)
  it(name, c.with(function(ex)
    if groups.version == 0 then return pending "no control groups that we may use" end
    body(ex)
  end))
end


describe("process: limits", function()
  limited("memory: a job above it is killed, and that is told apart from a kill", function(ex)
    local hog = c.sh "x=$(head -c 64000000 /dev/zero | tr '\\0' x); echo ${#x}"
    local limit = { resources = { ram = { size = 20 * MIB } } }
    local result = assert(ex:run(c.request(hog, limit)))
    assert.same({ "oom", "killed: out of memory" }, { result.reason, result.error_msg })
    assert.is_true(result.evidence.oom_kills >= 1)
    local shot = assert(ex:run(c.request(c.sh "kill -9 $$", limit)))
    assert.same({ "signaled", 137, 9 }, { shot.reason, shot.exit_code, shot.signal })
    local fine = assert(ex:run(c.request({ "true" }, limit)))
    assert.same({ "exited", 0 }, { fine.reason, fine.exit_code })
  end)

  limited("memory: a job that outlives the end of one of its own is told with evidence",
    function(ex)
      -- The kernel may kill twice before memory is free: it is told whom to choose.
      local result = assert(ex:run(c.request(c.sh("sh -c 'echo 1000 >/proc/self/oom_score_adj;"
        .. " x=$(head -c 64000000 /dev/zero | tr \"\\0\" x)'; echo survived"),
        { resources = { ram = { size = 20 * MIB } } })))
      assert.same({ "exited", 0, "survived\n" },
        { result.reason, result.exit_code, result.stdout })
      assert.is_true(result.evidence.oom_kills >= 1)
    end)

  limited("pids: a fork storm is held", function(ex)
    local request = c.request(c.sh [[
      i=0; while [ $i -lt 200 ]; do sleep 30 & i=$((i+1)); done 2>/dev/null; echo done]])
    request.engine_spec.params.pids = 10
    request.timeout = 10
    local result = assert(ex:run(request))
    assert.is_true(result.evidence.pids_events >= 1)
    assert.not_equal("timeout", result.reason)
  end)

  limited("cpu: time is rationed", function(ex)
    local request = c.request(c.sh "echo up; while :; do :; done",
      { resources = { cpu = { cores = 0.2 } } })
    assert(ex:start(request))
    c.wait_for_output(ex, request.execution_id, "up\n")
    ex:stats(request.execution_id)
    require("exhost.async").sleep(0.5)
    local percent = ex:stats(request.execution_id).cpu_usage.percent
    assert.is_true(percent < 60, percent)
  end)

  limited("change while it runs, up and down, and what cannot is said", function(ex)
    local request = c.request({ "sleep", "30" },
      { resources = { ram = { size = 64 * MIB }, cpu = { cores = 1 } } })
    local id = request.execution_id
    assert(ex:start(request))
    for _, size in ipairs { 128 * MIB, 32 * MIB, 256 * MIB } do
      assert.is_true(ex:update(id, { memory = size, cores = 0.5 }))
      assert.equal(size, ex:stats(id).memory.limit)
      assert.equal(size, ex:info(id).plan.limits.memory)
    end
    assert.is_true(ex:update(id, { memory = "100m" }))
    assert.equal(100 * MIB, ex:stats(id).memory.limit)
    local _, err, code = ex:update(id, { memory = 1000 })
    assert.equal("invalid", code)
    assert.matches("below 6291456", err)
  end)
end)

describe("process: a limit that cannot be kept", function()
  it("is told by the plan and by the result", c.with(function(ex)
    local asked = c.request({ "true" }, { resources = { disk = { size = 1024 * MIB } } })
    local told = { "disk limit (a process has no disk of its own)" }
    local planned = assert(ex:plan(asked)).body.unenforced
    assert.same(told, { planned[#planned] })
    local kept = assert(ex:run(asked)).evidence.unenforced
    assert.same(planned, kept)
  end))

  it("is told of nothing where there is none", c.with(function(ex)
    local result = assert(ex:run(c.request { "true" }))
    assert.is_nil(result.evidence.unenforced)
  end))
end)
