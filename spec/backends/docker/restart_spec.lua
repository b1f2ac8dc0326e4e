--- What an engine that dies and comes back, and a host that does, leave of running jobs.

local async = require "exhost.async"
local command = require "support.command"
local docker = require "support.docker"
local fs = require "exhost.fs"
local json = require "exhost.json"
local scratch = require "support.scratch"

local LINES = 40
-- Counted, so that what is lost or doubled shows.
local COUNT = "i=0; while [ $i -lt " .. LINES .. " ]; do i=$((i+1)); echo line $i; echo e $i >&2; "
  .. "sleep 0.05; done; exit 5"

local function lines(word, n)
  local list = {}
  for i = 1, n or LINES do list[i] = word .. " " .. i .. "\n" end
  return table.concat(list)
end

--- The body with an engine that it may end; afterwards it is up, with live-restore.
local function with(body, flag)
  return docker.with(function(ex, path, shared)
    if not docker.folder then return pending "EXHOST_DOCKER_ENGINE is not set" end
    if flag then
      docker.engine "down"
      docker.engine("up", flag)
    end
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, ex, path, shared)
    if flag then docker.engine "down" end
    if flag or not ok then docker.engine "up" end
    ex:cleanup()
    if not ok then error(err, 0) end
  end)
end

--- A job that sees a folder as /go, once it has written something; and where its logs are.
local function started(ex, path, shared, script)
  local asked = docker.sh(script, { inputs = { { source = shared, target = "/go" } } })
  assert(ex:start(asked))
  local folder = string.format("%s/state/%s/executions/%s", path, ex.name, asked.execution_id)
  assert(scratch.wait_until(function() return (fs.read(folder .. "/stdout.log") or "") ~= "" end))
  return asked.execution_id, folder
end

local function gone(verb)
  docker.engine(verb)
  -- Ended by hand, its socket may be there still.
  local client = docker.api()
  assert(scratch.wait_until(function()
    return select(3, client:call("GET", "/version")) == "unavailable"
  end))
  client:close()
end

for verb, how in pairs { kill = "is killed", down = "ends" } do
  describe("docker: an engine with live-restore that " .. how, function()
    it("ends no job, and no output of it is lost or doubled", with(function(ex, path, shared)
      local id, folder = started(ex, path, shared, "i=0; while [ ! -e /go/go ]; do i=$((i+1)); "
        .. "echo line $i; echo e $i >&2; sleep 0.05; done; exit 5")
      gone(verb)
      assert.equal("running", ex:status(id))
      local had = #fs.read(folder .. "/stdout.log")
      docker.engine "up"
      assert(scratch.wait_until(function() return #fs.read(folder .. "/stdout.log") > had end))
      assert(io.open(shared .. "/go", "w")):close()
      local result = assert(ex:wait(id, 60))
      assert.equal(5, result.exit_code)
      assert.equal("exited", result.reason)
      local n = tonumber(result.stdout:match("line (%d+)\n$"))
      assert.equal(lines("line", n), result.stdout)
      assert.equal(lines("e", n), result.stderr)
      assert.is_nil(result.evidence.gaps or result.evidence.output)
    end))

    it("tells of jobs that ended meanwhile, and what they wrote", with(function(ex, path, shared)
      local id = started(ex, path, shared,
        "echo up; while [ ! -e /go/go ]; do sleep 0.02; done; echo over; exit 6")
      gone(verb)
      assert(io.open(shared .. "/go", "w")):close()
      docker.engine "up"
      local result = assert(ex:wait(id, 60))
      assert.equal(docker.differences().exit_while_away(6), result.exit_code)
      assert.equal("exited", result.reason)
      -- What is written to an engine that is away is lost if the container also ends then.
      assert.equal("up\n", result.stdout:sub(1, 3))
      assert.equal(result.stdout ~= "up\nover\n" or nil, result.evidence.output and true)
    end))
  end)
end

describe("docker: while the engine is away", function()
  it("nothing starts, and the same request does later; results are there all along",
    with(function(ex)
      local done, asked = docker.sh "echo done; exit 2", docker.sh "echo later"
      assert(ex:run(done))
      gone "kill"
      local _, err, code = ex:start(asked)
      assert.equal("unavailable", code)
      assert.matches("cannot be reached", err)
      assert.is_nil(err:find("left behind", 1, true), err)
      assert.equal(1, #assert(ex:list()))
      assert.equal("done\n", assert(ex:wait(done.execution_id)).stdout)
      docker.engine "up"
      assert.equal("later\n", assert(ex:run(asked)).stdout)
    end))

  it("a start whose answer is lost fails, and nothing is left of it when it is back",
    with(function(ex)
      local backend, asked = assert(ex:backend()), docker.sh "sleep 300"
      local start = backend.start
      function backend.start(...)
        assert(start(...))
        gone "kill"
        return nil, "start container: no answer", "unavailable"
      end
      local _, err, code = ex:start(asked)
      backend.start = start
      assert.equal("unavailable", code)
      assert.matches("no answer; what was made for it is left behind: .*cannot be reached", err)
      assert.equal(asked.execution_id, assert(ex:list())[1].execution_id)
      docker.engine "up"
      assert.equal(1, #assert(backend:list()))
      assert(ex:recover())
      assert.same({}, backend:list())
      assert.equal("not_found", select(3, ex:status(asked.execution_id)))
    end))

  it("a cancel is kept, and carried out when it is back", with(function(ex, path, shared)
    local id = started(ex, path, shared,
      "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done")
    gone "kill"
    assert(ex:cancel(id, { wait = false, grace = 20 }))
    docker.engine "up"
    local result = assert(ex:wait(id, 60))
    assert.same({ "cancelled", 7 }, { result.reason, result.exit_code })
  end))
end)

describe("docker: an engine without live-restore", function()
  it("stops the jobs when it ends; they are told to be over, with all they wrote",
    with(function(ex, path, shared)
      local id = started(ex, path, shared,
        "trap 'echo term; exit 3' TERM; echo up; while :; do sleep 0.05; done")
      gone "down"
      docker.engine("up", "--live-restore=false")
      local result = assert(ex:wait(id, 60))
      assert.same({ "exited", 3, "up\nterm\n" }, { result.reason, result.exit_code, result.stdout })
    end, "--live-restore=false"))

  it("that is killed ends them when it is back", with(function(ex, path, shared)
    local id = started(ex, path, shared, "echo up; sleep 600")
    gone "kill"
    docker.engine("up", "--live-restore=false")
    local result = assert(ex:wait(id, 60))
    assert.same({ "signaled", 137, "up\n" }, { result.reason, result.exit_code, result.stdout })
    assert.is_true(result.evidence.reattached >= 1)
  end, "--live-restore=false"))
end)

describe("docker: a host that is killed", function()
  --- Another host on the folder, which starts a job and is killed at once.
  local function killed_host(ex, path, asked)
    local host = command.start_lua([[
      local executor, json = require "exhost.executor", require "exhost.json"
      local asked = json.decode(arg[1])
      local ex = assert(executor.open(asked.open))
      assert(ex:start(asked.request))
      print "started"
      io.stdout:flush()
      ex:wait(asked.request.execution_id)
    ]], { args = { json.encode { request = asked, open = { id = ex.name,
      state_dir = path .. "/state", backend = "docker",
      settings = { backends = { docker = { host = docker.socket } } } } } } })
    host:wait_for "started"
    host:signal(9)
    host:wait()
  end

  it("leaves jobs that go on, and their end and output are told by the next",
    docker.with(function(ex, path)
      local asked = docker.sh(COUNT)
      killed_host(ex, path, asked)
      local result = assert(ex:wait(asked.execution_id, 60))
      assert.same({ 5, lines "line", lines "e" },
        { result.exit_code, result.stdout, result.stderr })
    end))

  it("with the shim leaves a job that the next takes up again", docker.with(function(ex, path)
    local asked = docker.sh(COUNT)
    killed_host(ex, path, asked)
    local processes = require "crash.processes"
    local shims = processes.shims(path .. "/state")
    assert.equal(1, #shims)
    processes.kill(shims)
    async.sleep(0.2) -- output that nobody takes
    assert(ex:recover())
    local result = assert(ex:wait(asked.execution_id, 60))
    assert.same({ 5, lines "line", lines "e" },
      { result.exit_code, result.stdout, result.stderr })
  end))

  it("leaves the end of a job that nobody saw", docker.with(function(ex, path)
    local asked = docker.sh("echo up; exit 6")
    killed_host(ex, path, asked)
    local processes = require "crash.processes"
    processes.kill(processes.shims(path .. "/state"))
    local client = docker.api()
    assert(scratch.wait_until(function()
      local record = client:call("GET", "/containers/" .. asked.job_id .. "/json")
      return record.State.Status == "exited"
    end))
    client:close()
    local result = assert(ex:wait(asked.execution_id, 60))
    assert.same({ "exited", 6, "up\n" }, { result.reason, result.exit_code, result.stdout })
  end))
end)
