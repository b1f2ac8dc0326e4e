--- Docker jobs and IPv6, on a real engine: spec/support/docker.lua. Requests come from the
--- engine's own network namespace, where its ports are.

local command = require "support.command"
local docker = require "support.docker"
local scratch = require "support.scratch"
local system = require "exhost.system"

local with = docker.with

--- What a web server says at a port of the engine's namespace; nil while it says nothing. Suspends.
local function ask(address, port)
  local file = assert(io.open(docker.folder .. "/holder"))
  local holder = file:read("*l")
  file:close()
  local ran = command.run("/usr/bin/nsenter", { "nsenter", "-t", holder, "-n", "curl", "-sg",
    "--max-time", "5", string.format("http://[%s]:%d/word", address, port) })
  return ran.code == 0 and ran.out or nil
end

local SERVER = "cd /tmp; echo six > word; exec httpd -f -p 80"

describe("docker: IPv6", function()
  it("addresses can have ports bound to them, also beside an IPv4 one", with(function(ex)
    if not docker.folder then return pending "EXHOST_DOCKER_ENGINE is not set" end
    local asked = docker.sh(SERVER, { ports_to_bind = { { ip = "::1", executor_port = 80 },
      { ip = "127.0.0.1", executor_port = 80 } } })
    assert(ex:start(asked))
    local found = {}
    for _, port in ipairs(assert(ex:net_info(asked.execution_id)).mapped_ports) do
      assert.equal(80, port.executor_port)
      found[port.host_ip] = port.host_port
    end
    assert.is_true(found["::1"] > 0 and found["127.0.0.1"] > 0)
    assert.equal("six\n", scratch.wait_until(function() return ask("::1", found["::1"]) end))
  end))

  it("networks give a job an address of theirs", with(function(ex)
    local engine, name = docker.api(), "ipv6-" .. system.random_hex(4)
    local made = assert(engine:call("POST", "/networks/create", { body = { Name = name,
      Driver = "bridge", EnableIPv6 = true,
      IPAM = { Config = { { Subnet = "fd00:e8::/64" } } } } }))
    local asked = docker.sh("ip -6 addr show dev eth0 | grep -o 'fd00:e8::[0-9a-f]*'", {},
      { network = name })
    local ran, err = ex:run(asked)
    assert(ex:remove(asked.execution_id))
    assert(engine:call("DELETE", "/networks/" .. made.Id))
    engine:close()
    assert(ran, err)
    assert.matches("^fd00:e8::%x+\n$", ran.stdout)
  end))
end)
