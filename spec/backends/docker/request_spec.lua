--- What a request asks for beside its command and limits, as the container has it.

local docker = require "support.docker"
local gpus = require "support.gpus"

local sh, with = docker.sh, docker.with

describe("docker: a request's", function()
  it("GatewayIP is the first name server", with(function(ex)
    local result = assert(ex:run(sh("cat /etc/resolv.conf", { gateway_ip = "10.9.8.7" })))
    assert.matches("nameserver 10%.9%.8%.7\nnameserver 1%.1%.1%.1\n", result.stdout)
    assert.matches("search internal\n", result.stdout)
    assert.matches("options ndots:1 timeout:2 attempts:1", result.stdout)
  end))

  it("restart policy has it run again, and it ends with its last run", with(function(ex)
    local result = assert(ex:run(sh("echo run; exit 7", nil, { restart_policy = "on-failure" })))
    assert.same({ 7, ("run\n"):rep(4) }, { result.exit_code, result.stdout })
  end))

  it("init is the first process", with(function(ex)
    local result = assert(ex:run(sh("cat /proc/1/comm; exit 3", nil, { init = true })))
    assert.equal(3, result.exit_code)
    assert.is_nil(result.stdout:find("^sh\n"), result.stdout)
    assert.equal("sh\n", assert(ex:run(sh "cat /proc/1/comm; exit 0")).stdout)
  end))

  it("gpg key is where it asks to be, its user's alone", with(function(ex)
    local result = assert(ex:run(sh("cat /opt/k/one; stat -c %u:%a /opt/k/one",
      { keys = { { type = "gpg", file = "SECRET\n", dest = "/opt/k/one" } } },
      { user = "1000:1000" })))
    assert.equal("SECRET\n1000:600\n", result.stdout)
  end))

  it("gpg key without a place is refused before anything is made", with(function(ex)
    local asked = sh("true", { keys = { { type = "gpg", file = "SECRET" } } })
    for _, verb in ipairs { "plan", "start" } do
      local _, err, code = ex[verb](ex, asked)
      assert.same({ "keys[1].dest: required for a gpg key", "invalid" }, { err, code })
    end
    assert.same({}, docker.containers(ex))
  end))
end)

describe("docker: what the machine has not", function()
  it("such as a port that is free, is told in the engine's words, and nothing is left", with(
    function(ex)
      local holder = sh("sleep 60",
        { ports_to_bind = { { ip = "127.0.0.1", executor_port = 80 } } })
      assert(ex:start(holder))
      local port = ex:net_info(holder.execution_id).mapped_ports[1].host_port
      local asked = sh("true", { ports_to_bind = { { ip = "127.0.0.1", host_port = port,
        executor_port = 80 } } })
      local _, err, code = ex:start(asked)
      assert.equal("engine", code)
      assert.matches("port is already allocated", err)
      assert.equal(1, #docker.containers(ex))
      assert(ex:cancel(holder.execution_id, { grace = 0 }))
      assert.equal(0, assert(ex:run(asked)).exit_code)
    end))

  it("such as a device, is told as that, not as a command that is not there", with(
    function(ex, path)
      if os.execute "test -e /dev/kfd" == 0 then return pending "this machine has /dev/kfd" end
      ex.settings.inventory = gpus.make(path)
      local asked = sh("true", { resources = { gpus = { { pci_address = "0000:01:00.0" } } } })
      local _, err, code, data = ex:start(asked)
      assert.same({ "engine", "nil" }, { code, type(data.step) })
      assert.matches("/dev/", err, 1, true)
      assert.same({}, docker.containers(ex))
      asked.resources = nil
      assert.equal(0, assert(ex:run(asked)).exit_code)
    end))
end)
