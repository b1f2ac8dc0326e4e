--- A machine's network, on the stand-in for the binary, in a network namespace of its own.

local async = require "exhost.async"
local hosts = require "crash.hosts"
local jails = require "support.jails"
local loop = require "exhost.loop"
local machine = require "backends.firecracker.machine"
local machines = require "support.machines"
local network = require "backends.firecracker.network"
local params = require "backends.firecracker.params"
local request = require "exhost.request"
local scratch = require "support.scratch"
local settings = require "backends.firecracker.settings"
local system = require "exhost.system"

local SPEC = "spec/backends/firecracker/network_spec.lua"
local JAILER = jails.possible() and jails.JAILER or ""
local INSIDE = "EXHOST_SPEC_IN_NETWORK"
local GIVEN = { address = "172.30.5.2/30", gateway = "172.30.5.1" }

-- The last line of what the metadata service answers.
local ASK = 'ask() { printf "$1" | /bin/busybox nc -w 5 169.254.169.254 80 | '
  .. "/bin/busybox tail -n 1; echo; }; "

local function normal(own)
  own.kernel_image, own.initrd = "/k", "/i"
  return request.normalise({ job_id = "jj", execution_id = "jj", engine_spec = {
    type = "firecracker", params = own } }, { params = { firecracker = params } })
end

local function shell(command)
  local pipe = io.popen(command .. " 2>&1")
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local function devices()
  return shell "ip -o link show | grep -o 'xh[0-9a-f]*'"
end

local function settings_of(jailer)
  return { backends = { firecracker = { binary = machines.BINARY, jailer = jailer,
    networks = { "172.30.0.0/16" } } } }
end

local function with(body, jailer)
  return machines.with(body, settings_of(jailer or ""))
end

local function inside()
  it("reaches the host's end, and is gone with the machine", with(function(ex, asking)
    local asked = asking("/bin/busybox ping -c 1 -W 10 172.30.5.1 >/dev/null && "
      .. "/bin/busybox ip route && sleep 300")
    local id = asked.execution_id
    asked.engine_spec.params.network = GIVEN
    assert(ex:start(asked))
    local tap = devices():match "%S+"
    assert.same({ interface_name = tap, ip_address = "172.30.5.2", cidr = "172.30.5.2/30" },
      ex:net_info(id))
    assert.is_true(scratch.wait_until(function()
      local stream = assert(ex:get_log_stream(id))
      return require("conformance.helper").read(stream):find("default via 172.30.5.1", 1, true)
        ~= nil
    end))
    local other = asking "true"
    other.engine_spec.params.network = { address = "172.30.5.9/24", gateway = "172.30.5.8" }
    local _, err, code = ex:start(other)
    assert.equal("denied", code)
    assert.matches("is in use here: " .. tap .. " has 172.30.5.1/30", err)
    assert(ex:cancel(id))
    assert(ex:wait(id))
    assert.equal("", devices())
  end))

  it("belongs to the jail's user, and goes with a start that fails", with(function(ex, asking)
    local asked = asking("/bin/busybox ping -c 1 -W 10 172.30.5.1 >/dev/null")
    asked.engine_spec.params.network = GIVEN
    assert.equal(0, assert(ex:run(asked)).exit_code)
    asked = asking("true", "refuse")
    asked.engine_spec.params.network = GIVEN
    assert.equal("start_failed", assert(ex:run(asked)).reason)
    assert.equal("", devices())
  end, JAILER))

  it("has the metadata of the request at its address", with(function(ex, asking, path)
    local asked = asking(ASK .. "get() { ask \"GET $1 HTTP/1.0\\r\\n$2\\r\\n\"; }; get /latest/; "
      .. "get /latest/id; get /latest/tags 'Accept: application/json\\r\\n'")
    local own = asked.engine_spec.params
    own.network, own.mmds_message = GIVEN, { latest = { id = "i-1", tags = { a = "b" } } }
    assert.equal('tags/\ni-1\n{"a":"b"}\n', assert(ex:run(asked)).stdout)
    asked = asking "sleep 300"
    own = asked.engine_spec.params
    own.network, own.mmds_message = GIVEN, "hunter-two"
    assert.equal("***", assert(ex:plan(asked)).request.engine_spec.params.mmds_message)
    assert(ex:start(asked))
    -- As the values of variables do, it lies in the request that is kept, and nowhere else.
    local folder = path .. "/state/spec/executions/" .. asked.execution_id
    assert.equal(folder .. "/request.json\n", shell("grep -ls hunter-two -rD skip " .. folder))
  end))

  it("gives its metadata in sessions where that is asked for", with(function(ex, asking)
    local asked = asking(ASK .. "ask 'GET /a HTTP/1.0\\r\\n\\r\\n'; t=$(ask 'PUT /latest/api/token "
      .. "HTTP/1.0\\r\\nX-metadata-token-ttl-seconds: 60\\r\\n\\r\\n'); "
      .. "ask \"GET /a HTTP/1.0\\r\\nX-metadata-token: $t\\r\\n\\r\\n\"")
    local own = asked.engine_spec.params
    own.network, own.mmds_message, own.mmds_version = GIVEN, '{"a": "b", "n": null}', "V2"
    assert.matches("^No MMDS token provided.*\nb\n$", assert(ex:run(asked)).stdout)
  end, JAILER))

  it("goes with a host that is killed before whatever it does", with(function(ex, asking, path)
    local ran = 0
    for act = 1, 200 do
      local asked = asking "sleep 300"
      local id = asked.execution_id
      asked.engine_spec.params.network = GIVEN
      local host = hosts.start { state_dir = path .. "/state", settings = settings_of "", act = act,
        die = true, verbs = { { "start", asked } } }
      host:wait()
      assert.is_nil(host:told "start false", host.text)
      assert(ex:recover())
      if devices() ~= "" then
        ran = ran + 1
        local ok, err, code = ex:cancel(id, { grace = 0 })
        -- Its supervisor may have left meanwhile, as nothing had begun.
        assert(ok or code == "already_completed" or code == "not_found", err)
        if code ~= "not_found" then
          assert(ex:wait(id, 10))
          assert(ex:remove(id, 2, { purge = true }))
        end
      end
      assert.equal("", devices())
      if host:told "start true" then break end
    end
    assert.is_true(ran > 0 and ran < 20, ran .. " went on")
  end))

  -- A host may die and leave an ip(8) behind, which has its lock: what it makes goes as well.
  it("is removed after whatever else is made under the lock", with(function(ex, asking, path)
    local asked = asking "sleep 300"
    asked.engine_spec.params.network = GIVEN
    assert(ex:start(asked))
    os.execute("flock " .. path .. "/state/networks.lock sleep 1 & sleep 0.2")
    local from = loop.now()
    assert(ex:cancel(asked.execution_id, { grace = 0 }))
    assert(ex:wait(asked.execution_id))
    assert.is_true(loop.now() - from > 0.5)
    assert.equal("", devices())
  end))

  it("is given to one of two machines that start at once", with(function(ex, asking)
    local answers = {}
    for i = 1, 2 do
      local asked = asking "sleep 300"
      asked.engine_spec.params.network = GIVEN
      async.spawn(function() answers[i] = { ex:start(asked) } end)
    end
    assert.is_true(scratch.wait_until(function()
      return answers[1] ~= nil and answers[2] ~= nil
    end))
    local first, second = answers[1], answers[2]
    if not first[1] then first, second = second, first end
    assert.is_string(first[1], first[2])
    assert.same({ nil, "denied" }, { second[1], second[3] })
    assert.matches("prepare the machine: engine_spec.params.network.address: 172.30.5.2/30 is in "
      .. "use here: xh%x+ has 172.30.5.1/30", second[2])
    assert.equal(1, select(2, devices():gsub("\n", "")))
  end))
end

if os.getenv(INSIDE) then
  describe("the network of a microVM, in a namespace", inside)
  return
end

describe("the network of a microVM", function()
  it("is an address of a host with a gateway beside it, for a command", function()
    for _, wrong in ipairs { { "172.30.5.2", "172.30.5.1" }, { "172.30.5.0/30", "172.30.5.1" },
      { "172.30.5.2/30", "172.30.5.2" }, { "172.30.5.2/30", "172.30.5.9" },
      { "1.2.3.4/1", "1.2.3.5" }, { "256.1.1.1/24", "256.1.1.2" }, { "1.1.1.2/24", "x" } } do
      local ok, err = normal { cmd = { "a" }, network = { address = wrong[1], gateway = wrong[2] } }
      assert.is_nil(ok)
      assert.matches("engine_spec.params.network: ", err)
    end
    local _, err = normal { network = GIVEN }
    assert.matches("network: .* with a command alone", err)
    local body = assert(machine.plan(assert(normal { cmd = { "a" }, network = GIVEN }), {},
      { output_size = 1 }))
    assert.matches(" exhost.net=172.30.5.2/30,172.30.5.1$", body.config["boot-source"].boot_args)
  end)

  it("is denied outside of the operator's ranges, of which there are none", function()
    assert.is_false(network.allowed(GIVEN.address, assert(settings.check {}).networks))
    local own = assert(settings.check { networks = { "10.0.0.0/8", "172.30.0.0/16" } })
    assert.is_true(network.allowed(GIVEN.address, own.networks))
    assert.is_false(network.allowed("172.31.5.2/30", own.networks))
    assert.is_false(network.allowed("172.30.5.2/8", own.networks))
    local _, err, code = network.facts(GIVEN, { networks = {} })
    assert.equal("denied", code)
    assert.matches("backends.firecracker.networks", err)
    _, err = settings.check { networks = { "x" } }
    assert.matches("backends.firecracker.networks%[1%]: expected ADDRESS/BITS", err)
  end)

  it("works, in a namespace of its own", scratch.with(function(_, path)
    local possible = "unshare --net sh -c 'ip tuntap add dev t mode tap' 2>/dev/null"
    if not machines.possible() or os.execute(possible) ~= 0 then
      return pending "needs root, namespaces, iproute2 and tun"
    end
    local status = os.execute(string.format("%s=1 timeout -s KILL 120 unshare --net %s lua --main "
      .. "spec/run.lua %s </dev/null >%s/log 2>&1", INSIDE, system.real_path "/proc/self/exe", SPEC,
      path))
    local file = assert(io.open(path .. "/log"))
    local told = file:read "*a"
    file:close()
    assert.equal(0, status, told)
    assert.matches("7 passed", told)
  end))
end)
