--- Whose a container is: several executors on one engine, with jobs of one name.

local docker = require "support.docker"

--- A container with these labels under the job's name. Suspends.
local function made(engine, job, labels, start)
  local answer = assert(engine:call("POST", "/containers/create", { query = { name = job },
    body = { Image = "bb:1", Cmd = { "sleep", start and "60" or "0" }, Labels = labels } }))
  if start then assert(engine:call("POST", "/containers/" .. answer.Id .. "/start")) end
  return answer.Id
end

local function labels(executor, job, execution)
  return { ["exhost.executor"] = executor, ["exhost.job"] = job, ["exhost.execution"] = execution }
end

--- The body with a client; a container that it leaves is deleted.
local function with(body)
  return docker.with(function(ex, path)
    local engine = docker.api()
    local mine = {}
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, ex, engine, function(...)
      mine[#mine + 1] = made(engine, ...)
      return mine[#mine]
    end, path)
    for _, id in ipairs(mine) do
      engine:call("DELETE", "/containers/" .. id, { query = { force = "1" } })
    end
    engine:close()
    if not ok then error(err, 0) end
  end)
end

local function is_there(engine, id)
  return engine:call("GET", "/containers/" .. id .. "/json") ~= nil
end

describe("docker: a container under a job's name", function()
  it("makes room when it is an ended one of this executor and job", with(function(ex, engine, make)
    local asked = docker.sh "exit 3"
    local id = make(asked.job_id, labels(ex.name, asked.job_id, "earlier"))
    assert.equal(3, assert(ex:run(asked)).exit_code)
    assert.is_false(is_there(engine, id))
  end))

  it("is left alone when it is another executor's or another job's",
    with(function(ex, engine, make)
      for _, case in ipairs { { "another", nil }, { ex.name, "another-job" } } do
        local asked = docker.sh "true"
        local id = make(asked.job_id, labels(case[1], case[2] or asked.job_id, asked.execution_id))
        local _, err, code = ex:start(asked)
        assert.equal("engine", code)
        assert.matches("taken by a container that is not ours", err)
        assert.is_true(is_there(engine, id))
        engine:call("DELETE", "/containers/" .. id)
      end
    end))

  it("is another one's when ours is gone: no signal, no evidence, no removal reaches it",
    with(function(ex, engine, make)
      local asked = docker.sh "sleep 60"
      assert(ex:start(asked))
      local own = assert(ex:info(asked.execution_id)).container_id
      assert(engine:call("DELETE", "/containers/" .. own, { query = { force = "1" } }))
      local id = make(asked.job_id, labels("another", asked.job_id, asked.execution_id), true)
      assert.is_nil((ex:signal(asked.execution_id, "KILL")))
      local result = assert(ex:wait(asked.execution_id, 20))
      assert.is_nil(result.evidence.container)
      assert.is_true(result.killed)
      assert(ex:remove(asked.execution_id))
      local record = assert(engine:call("GET", "/containers/" .. id .. "/json"))
      assert.is_true(record.State.Running)
    end))
end)
