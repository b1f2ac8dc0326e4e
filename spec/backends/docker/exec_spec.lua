--- A command in a container ends when its caller leaves.

local async = require "exhost.async"
local dirs = require "exhost.dir"
local docker = require "support.docker"
local logread = require "exhost.logread"
local scratch = require "support.scratch"
local system = require "exhost.system"

--- How many processes of the container have this in their command line. Suspends.
local function count(engine, job, word)
  local n = 0
  local answer = assert(engine:call("GET", "/containers/" .. job .. "/top"))
  for _, process in ipairs(answer.Processes) do
    if table.concat(process, " "):find(word, 1, true) then n = n + 1 end
  end
  return n
end

local function with(body)
  return docker.with(function(ex)
    local engine, asked = docker.api(), docker.sh(
      "trap 'exit 0' TERM; while :; do sleep 0.1; done")
    assert(ex:start(asked))
    body(ex, asked, engine)
    engine:close()
  end)
end

describe("docker: exec", function()
  it("is ended with its children by its time-out; the job goes on", with(function(ex, asked, engine)
    local id = asked.execution_id
    local _, err, code = ex:exec(id, { "sh", "-c", "sleep 4321; true" }, { timeout = 1 })
    assert.equal("timeout", code)
    assert.is_nil(err:find("goes on", 1, true), err)
    assert(scratch.wait_until(function() return count(engine, asked.job_id, "4321") == 0 end))
    assert.equal("running", ex:status(id))
    assert.equal(0, assert(ex:exec(id, { "true" })).exit_code)
  end))

  it("is ended when its caller is", with(function(ex, asked, engine)
    local task = async.spawn(function()
      return ex:exec(asked.execution_id, { "sleep", "4321" })
    end)
    assert(scratch.wait_until(function() return count(engine, asked.job_id, "4321") == 1 end))
    async.cancel(task)
    local _, _, code = async.join(task)
    assert.equal("cancelled", code)
    assert(scratch.wait_until(function() return count(engine, asked.job_id, "4321") == 0 end))
  end))

  it("reads what it is given, and its end; what it does not read holds nothing up",
    with(function(ex, asked)
      local file = assert(dirs.memory("spec", "one\ntwo\n"))
      local read = assert(ex:exec(asked.execution_id, { "sort", "-r" },
        { stdin = system.dup(file:number()) }))
      assert.same({ 0, "two\none\n", "" }, { read.exit_code, read.stdout, read.stderr })
      file:close()
      local from, to = logread.pipe() -- never ends
      local left = assert(ex:exec(asked.execution_id, { "sh", "-c", "exit 4" }, { stdin = from }))
      assert.equal(4, left.exit_code)
      system.close(to)
    end))

  it("never ends a process that is not in the container", with(function()
    local _, _, pid = system.ids()
    local _, _, name = system.kill_in_cgroup(pid, ("0"):rep(64))
    assert.equal("EXDEV", name)
    assert.equal("EINVAL", select(3, system.kill_in_cgroup(1, "x")))
    assert.equal("EINVAL", select(3, system.kill_in_cgroup(pid, "")))
    assert.equal("ESRCH", select(3, system.kill_in_cgroup(2 ^ 22 + 1, "x")))
  end))
end)
