--- Containers that a DMS made itself, taken over while they run.

local adopt = require "exhost.adopt"
local docker = require "support.docker"
local scratch = require "support.scratch"
local system = require "exhost.system"

--- The body with a function that makes and starts a container as a DMS does; all are deleted.
local function with(body)
  return docker.with(function(ex)
    local engine, mine = docker.api(), {}
    local function made(script, ids, start, host)
      local answer = assert(engine:call("POST", "/containers/create", { query = { name = ids.job },
        body = { Image = "bb:1", Entrypoint = { "/bin/sh", "-c", script }, Env = { "A=1" },
          HostConfig = host,
          Labels = { ["nunet-executor"] = "root", ["nunet-jobID"] = ids.label or ids.job,
            ["nunet-executionID"] = "root_" .. ids.job .. "_" .. ids.execution } } }))
      mine[#mine + 1] = answer.Id
      if start ~= false then
        assert(engine:call("POST", "/containers/" .. answer.Id .. "/start"))
      end
      return answer.Id
    end
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, ex, made, engine)
    for _, id in ipairs(mine) do
      engine:call("DELETE", "/containers/" .. id, { query = { force = "1" } })
    end
    engine:close()
    if not ok then error(err, 0) end
  end)
end

local function new_ids()
  local text = system.random_hex(4)
  return { job = "job-" .. text, execution = "ex-" .. text }
end

local function by_job(list)
  local found = {}
  for _, one in ipairs(list) do found[one.job_id] = one end
  return found
end

local TICKS = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done"

describe("adopt", function()
  it("takes over what runs, with all that it has written", with(function(ex, made)
    local ids = new_ids()
    local container = made("echo first; trap 'echo term; exit 5' TERM; " .. TICKS, ids)
    local list = assert(adopt.run(ex))
    assert.is_nil(by_job(list)[ids.job].why)
    assert.equal("running", ex:status(ids.execution))
    assert.equal(ids.execution, ex:find(ids.job))
    local info = assert(ex:info(ids.execution))
    assert.same({ container, "bb:1" },
      { info.container_id, info.request.engine_spec.params.image })
    local dir = assert(ex.state:open_execution(ids.execution))
    assert(scratch.wait_until(function()
      return (dir:read("stdout.log", 65536) or ""):find("line 3\n", 1, true)
    end))
    dir:close()
    assert(ex:cancel(ids.execution, { grace = 10 }))
    local result = assert(ex:wait(ids.execution))
    assert.same({ "cancelled", 5 }, { result.reason, result.exit_code })
    assert.matches("^first\nline 1\nline 2\n.*term\n$", result.stdout)
  end))

  it("goes on with one that its engine starts again", with(function(ex, made)
    local ids = new_ids()
    made("echo ran; sleep 2; exit 3", ids, true,
      { RestartPolicy = { Name = "on-failure", MaximumRetryCount = 1 } })
    assert.is_nil(by_job(assert(adopt.run(ex)))[ids.job].why)
    local result = assert(ex:wait(ids.execution))
    assert.same({ 3, "ran\nran\n" }, { result.exit_code, result.stdout })
  end))

  it("knows jobs whose label is led by the executor's id", with(function(ex, made)
    local ids = new_ids()
    ids.label = "root_" .. ids.job
    made("sleep 600", ids)
    assert.is_nil(by_job(assert(adopt.run(ex)))[ids.job].why)
    assert.equal("running", ex:status(ids.execution))
    assert(ex:remove(ids.execution, 0))
  end))

  it("leaves alone what does not run, and what it has already", with(function(ex, made)
    local ended, runs = new_ids(), new_ids()
    made("exit 3", ended, false)
    made("sleep 600", runs)
    local own = docker.sh "sleep 600"
    assert(ex:start(own)) -- it carries a DMS's labels, too
    local list = by_job(assert(adopt.run(ex)))
    assert.equal("it is created, not running", list[ended.job].why)
    assert.is_nil(list[runs.job].why)
    assert.matches("is held by execution " .. runs.execution:gsub("%-", "%%-"),
      by_job(assert(adopt.run(ex)))[runs.job].why)
    assert.is_nil(list[own.job_id])
    assert.equal(2, #ex:list())
  end))

  it("is nothing for a backend without an engine", with(function(ex)
    local _, err, code = adopt.run(ex, "process")
    assert.same({ "adopt is not supported by the process executor", "unsupported" }, { err, code })
  end))
end)
