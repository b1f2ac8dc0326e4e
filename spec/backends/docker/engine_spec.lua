--- Docker jobs on a real engine: spec/support/docker.lua.

local async = require "exhost.async"
local base64 = require "exhost.base64"
local docker = require "support.docker"
local executor = require "exhost.executor"
local system = require "exhost.system"

local api, containers, request, sh, with = docker.api, docker.containers, docker.request,
  docker.sh, docker.with

describe("docker: the story of an execution", function()
  it("has each call to the engine that was made for it, and what it took", with(function(ex)
    local asked = sh("sleep 60")
    asked.provision_scripts = { a = base64.encode("true\n") }
    local id = assert(ex:start(asked))
    assert(ex:pause(id))
    assert(ex:resume(id))
    local story, calls = assert(ex:why(id)), {}
    for _, event in ipairs(story) do
      if event.event == "engine_call" then
        calls[#calls + 1] = event.call
        assert.is_true(event.ms > 0)
      end
    end
    local own = "/containers/…/"
    assert.same({ "POST /containers/create", "PUT " .. own .. "archive", "POST " .. own .. "start",
      "POST " .. own .. "pause", "POST " .. own .. "unpause" }, calls)
    assert.same({ { "cpu", "1" }, { "/bin/sh", "-c", "sleep 60" } }, {
      { story[1].policies[1].name, story[1].policies[1].version }, story[1].asked.cmd
        or story[1].asked.entrypoint })
  end))

  it("has what the engine said to a call that failed", with(function(ex)
    local asked = request({}, { entrypoint = { "/no/such" } })
    assert.is_nil((ex:start(asked)))
    local said
    for _, event in ipairs(assert(ex:why(asked.execution_id))) do said = said or event.error end
    assert.is_truthy(said:find("no such file", 1, true), said)
  end))
end)

describe("docker: what an engine refuses", function()
  local SAYS = {
    { "no such image", { image = "nosuch:1" }, "no such image" },
    { "a command that is not there", { entrypoint = { "/no/such" } }, "no such file", "ENOENT" },
    { "a bare name", { entrypoint = { "nosuch" } }, "not found in $PATH", "ENOENT" },
    { "what is not executable", { entrypoint = { "/etc/passwd" } }, "permission denied", "EACCES" },
    { "a folder that is none", { working_directory = "/etc/passwd", entrypoint = { "true" } },
      "not a directory" },
    { "an unknown user", { user = "nosuchuser", entrypoint = { "true" } }, "unable to find user" },
    { "an unknown network", { network = "nosuchnet", entrypoint = { "true" } }, "nosuchnet" },
  }
  for _, case in ipairs(SAYS) do
    it("is told in its words, leaves nothing, and the id can be used again: " .. case[1],
      with(function(ex)
        local asked = request({}, case[2])
        local _, err, code, data = ex:start(asked)
        assert.equal("engine", code, err)
        assert.matches("^start docker execution " .. asked.execution_id:gsub("%-", "%%-"), err)
        assert.is_truthy(err:find(case[3], 1, true), err)
        if case[4] then assert.equal(case[4], data.name) end
        assert.same({}, containers(ex))
        asked.engine_spec.params = { image = "bb:1", entrypoint = { "true" } }
        assert.equal(0, assert(ex:run(asked)).exit_code)
      end, { image_pull = "never" }))
  end

  it("includes a mount whose source is not there, which is not made", with(function(ex, path)
    local missing = path .. "/none"
    local asked = request({ inputs = { { source = missing, target = "/in" } } })
    local _, err = ex:start(asked)
    assert.is_truthy(err:find(missing, 1, true), err)
    assert.is_nil(system.real_path(missing))
  end))

  it("includes a name that a stranger's container has, which is left alone", with(function(ex)
    local asked, engine = sh "true", api()
    local made = assert(engine:call("POST", "/containers/create",
      { query = { name = asked.job_id }, body = { Image = "bb:1", Cmd = { "true" } } }))
    local _, err, code = ex:start(asked)
    assert.equal("engine", code)
    assert.matches("taken by a container that is not ours", err)
    assert(engine:call("GET", "/containers/" .. made.Id .. "/json"))
    engine:call("DELETE", "/containers/" .. made.Id)
    engine:close()
  end))

  it("is `unavailable` where nobody listens", with(function(ex, path)
    local other = assert(executor.open { id = "spec", state_dir = path .. "/other",
      backend = "docker", settings = { backends = { docker = { host = path .. "/none.sock" } } } })
    local _, err, code = other:start(request({}, { entrypoint = { "true" } }))
    assert.equal("unavailable", code)
    assert.matches("none.sock cannot be reached", err)
    other:close()
    assert.same({}, containers(ex))
  end))
end)

describe("docker: a job", function()
  it("has its limits, and is told to be out of memory, also by a busy engine", with(function(ex)
    local jobs, results, seen = {}, {}, {}
    for i = 1, 24 do
      jobs[i] = function()
        results[i] = assert(ex:run(sh("x=$(head -c 64000000 /dev/zero | tr '\\0' x); echo ${#x}",
          { resources = { ram = { size = 16 * 1024 * 1024 } } })))
      end
    end
    async.all(jobs, 8)
    for _, result in ipairs(results) do
      assert.same({ "oom", 137, true }, { result.reason, result.exit_code,
        result.evidence.oom_killed })
      seen[result.evidence.oom_by] = true
    end
    assert.is_true(seen.engine or seen.cgroup)
  end))

  it("takes three requests of its host, and the engine says which image it had", with(function(ex)
    local engine_api, asked_for = assert(ex:backend()).api, {}
    local call = engine_api.call
    function engine_api.call(self, method, path, ...)
      table.insert(asked_for, method .. " " .. path:gsub("/%x%x%x%x%x%x+", "/ID"))
      return call(self, method, path, ...)
    end
    local asked = sh "true"
    local result = assert(ex:run(asked))
    assert.matches("^sha256:%x+$", result.evidence.image)
    assert(ex:remove(asked.execution_id))
    engine_api.call = call
    assert.same({ "POST /containers/create", "POST /containers/ID/start", "DELETE /containers/ID" },
      asked_for)
  end))

  it("has its environment, folder, user and mounts", with(function(ex, _, path)
    os.execute("mkdir -m 755 " .. path .. "/in && echo data > " .. path .. "/in/file; mkdir -m 777 "
      .. path .. "/out; chmod 755 " .. path)
    local asked = sh("cat /in/file; id -u; pwd; echo $A; echo made > /out/file; touch /in/x 2>&1",
      { inputs = { { source = path .. "/in", target = "/in", readonly = true } },
        outputs = { { source = path .. "/out", target = "/out" } } },
      { environment = { "A=x y" }, user = "1000", working_directory = "/home/user" })
    local result = assert(ex:run(asked))
    assert.matches("^data\n1000\n/home/user\nx y\n.*Read%-only", result.stdout)
    local file = assert(io.open(path .. "/out/file"))
    assert.equal("made\n", file:read("*a"))
    file:close()
  end, { ceiling = { binds = { "/tmp" } } }))

  it("runs scripts first, which may end it", with(function(ex)
    local scripts = { a = base64.encode("#!/bin/sh\r\necho one\r\n"), b = base64.encode "echo two" }
    local result = assert(ex:run(request({ provision_scripts = scripts },
      { entrypoint = { "printf", "<%s>" }, cmd = { "a b", "$X" } })))
    assert.equal("one\ntwo\n<a b><$X>", result.stdout)
    local failed = assert(ex:run(sh("echo job", { provision_scripts = {
      a = base64.encode "echo a; exit 7", b = base64.encode "echo b" } })))
    assert.same({ "start_failed", 7, "a\n" },
      { failed.reason, failed.exit_code, failed.stdout })
    assert.matches('"a"', failed.error_msg)
  end))

  it("runs scripts as its own user, who need not be root", with(function(ex)
    local result = assert(ex:run(sh("id -u; echo job", { provision_scripts = {
      a = base64.encode "#!/bin/sh\nid -u\n" } }, { user = "1000:1000" })))
    assert.equal("1000\n1000\njob\n", result.stdout)
  end))

  it("gets its keys, all of them, as its user's", with(function(ex)
    local result = assert(ex:run(sh("cat .ssh/authorized_keys; stat -c %u:%a .ssh/authorized_keys",
      { keys = { { type = "ssh", file = "ssh-rsa AAA one" },
        { type = "ssh", file = "ssh-rsa BBB two\n" } } },
      { user = "1000:1000", working_directory = "/home/user" })))
    assert.equal("ssh-rsa AAA one\nssh-rsa BBB two\n1000:600\n", result.stdout)
  end))

  it("binds ports, and says which", with(function(ex)
    local asked = sh("sleep 30", { ports_to_bind = { { ip = "127.0.0.1", executor_port = 80 },
      { ip = "127.0.0.1", executor_port = 53, protocol = "udp" } } })
    assert(ex:start(asked))
    local net = assert(ex:net_info(asked.execution_id))
    assert.equal("bridge", net.interface_name)
    assert.matches("^%d+%.%d+%.%d+%.%d+$", net.ip_address)
    assert.equal(2, #net.mapped_ports)
    assert.same({ 53, "udp", "127.0.0.1" }, { net.mapped_ports[1].executor_port,
      net.mapped_ports[1].protocol, net.mapped_ports[1].host_ip })
    assert.is_true(net.mapped_ports[2].host_port > 0)
  end))

  it("that was killed or removed behind our back is told so", with(function(ex)
    local engine = api()
    local killed, removed = sh "sleep 60", sh "sleep 60"
    assert(ex:start(killed))
    assert(engine:call("POST", "/containers/" .. killed.job_id .. "/kill"))
    local result = assert(ex:wait(killed.execution_id, 10))
    assert.is_true(result.killed)
    assert.equal(137, result.exit_code)
    assert(ex:start(removed))
    assert(engine:call("DELETE", "/containers/" .. removed.job_id, { query = { force = "1" } }))
    result = assert(ex:wait(removed.execution_id, 15))
    assert.is_true(result.killed)
    engine:close()
  end))

  it("goes on when its shim dies, and loses no output", with(function(ex, path)
    local asked = sh "i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo $i; sleep 0.1; done; exit 4"
    assert(ex:start(asked))
    async.sleep(0.5)
    local folder = path .. "/state/" .. ex.name .. "/executions/" .. asked.execution_id
    local found = require("crash.processes")
    local shims = found.shims(path .. "/state")
    assert.equal(1, #shims, folder)
    found.kill(shims)
    local result = assert(ex:wait(asked.execution_id, 20))
    local expected = {}
    for i = 1, 30 do expected[i] = i .. "\n" end
    assert.same({ 4, table.concat(expected) }, { result.exit_code, result.stdout })
  end))

  it("goes on when its shim dies as the engine has started it", with(function(ex, path)
    local found, backend = require("crash.processes"), assert(ex:backend())
    local start = backend.start
    function backend.start(...)
      local ok, err, code, data = start(...)
      found.kill(found.shims(path .. "/state"))
      return ok, err, code, data
    end
    local asked = sh "echo one; sleep 0.3; echo two; exit 4"
    assert(ex:start(asked))
    backend.start = start
    local result = assert(ex:wait(asked.execution_id, 20))
    assert.same({ 4, "one\ntwo\n" }, { result.exit_code, result.stdout })
  end))

  it("leaves nothing after cleanup, whoever made it", with(function(ex)
    local engine = api()
    assert(engine:call("POST", "/containers/create", { body = { Image = "bb:1", Cmd = { "true" },
      Labels = { ["exhost.executor"] = ex.name } } }))
    assert(engine:call("POST", "/volumes/create", { body = { Name = ex.name .. "-v",
      Labels = { ["exhost.executor"] = ex.name } } }))
    assert(ex:start(sh "sleep 60"))
    assert(ex:cleanup())
    assert.same({}, containers(ex))
    local _, _, code = engine:call("GET", "/volumes/" .. ex.name .. "-v")
    assert.equal("not_found", code)
    engine:close()
  end))
end)
