local base64 = require "exhost.base64"
local json = require "exhost.json"
local request = require "exhost.request"

local PARAMS = {
  process = { type = "record", fields = {
    cmd = { type = "list", of = { type = "string" } },
    environment = { type = "list", of = { type = "string" } },
    registry_auth = { type = "any" },
  } },
}

local function normalise(fields, options)
  local raw = { job_id = "e1" }
  for key, value in pairs(fields) do raw[key] = value end
  options = options or {}
  options.params = options.params or PARAMS
  return request.normalise(raw, options)
end

describe("a request", function()
  it("is taken as Go marshals it", function()
    local asked, warnings = request.normalise(assert(json.decode([[
      {"JobID":"ens_alloc","ExecutionID":"2f6c-1",
       "EngineSpec":{"type":" Process ","params":{"cmd":["a"]}},
       "Resources":{"cpu":{"clock_speed":3e9,"cores":4.1,"model":"","vendor":"","threads":8,
         "architecture":"","cache_size":0},"gpus":[{"index":0,"vendor":"AMD/ATI",
         "pci_address":"00000000:0B:00.0","model":"m","vram":1024,"uuid":""}],
         "ram":{"size":17179869184,"clock_speed":0,"type":""},
         "disk":{"size":0,"model":"","vendor":"",
         "type":"","interface":"","read_speed":0,"write_speed":0}},
       "Inputs":[{"type":"bind","source":"/srv/t/task:42/in","target":"/in","readonly":true}],
       "Outputs":null,"ResultsDir":"/srv/jobs/a","PersistLogsDuration":1800000000000,
       "ProvisionScripts":{"10-a.sh":"IyEvYmluL3NoDQplY2hvIG9uZQ0K"},
       "Keys":[{"type":"ssh","file":"ssh-ed25519 AAAA","dest":""}],
       "PortsToBind":[{"IP":"::1","HostPort":8080,"ExecutorPort":80}],"GatewayIP":"10.0.0.1"}
    ]])), { params = PARAMS })
    assert.same({
      "resources.gpus[1]: the index is ignored: a GPU is known by uuid or pci_address",
    }, warnings)
    assert.same({ type = "process", params = { cmd = { "a" } } }, asked.engine_spec)
    assert.equal("ens_alloc", asked.job_id)
    assert.equal("2f6c-1", asked.execution_id)
    assert.equal(4.1, asked.resources.cpu.cores)
    assert.equal(17179869184, asked.resources.ram.size)
    assert.is_nil(asked.resources.disk.size)
    assert.same({ vendor = "AMD/ATI", pci_address = "0000:0b:00.0", model = "m", vram = 1024 },
      asked.resources.gpus[1])
    assert.equal("/srv/t/task:42/in", asked.inputs[1].source)
    assert.equal(1800, asked.persist_logs_duration)
    assert.equal("#!/bin/sh\necho one\n", asked.provision_scripts["10-a.sh"])
    assert.same({ ip = "::1", host_port = 8080, executor_port = 80 }, asked.ports_to_bind[1])
    assert.equal("10.0.0.1", asked.gateway_ip)
    assert.same({ type = "ssh", file = "ssh-ed25519 AAAA" }, asked.keys[1])
  end)

  it("takes scripts as editors of other systems write them", function()
    local asked = normalise { provision_scripts = {
      ab = base64.encode "\239\187\191#!/bin/sh\r\necho one\r\n", cd = base64.encode "echo a\rb" } }
    assert.same({ ab = "#!/bin/sh\necho one\n", cd = "echo a\rb" }, asked.provision_scripts)
  end)

  it("is taken with almost nothing", function()
    for _, fields in ipairs { {}, { engine_spec = {} }, { ResultsDir = "", GatewayIP = "",
      stop_signal = "", timeout = 0, engine_spec = { type = "" } } } do
      assert.same({ job_id = "e1", execution_id = "e1", resources = {},
        engine_spec = { type = "process", params = {} } }, (normalise(fields)))
    end
  end)

  it("keeps its lists lists", function()
    local asked = normalise { Inputs = {}, engine_spec = { params = { cmd = {} } } }
    assert.equal('{"engine_spec":{"params":{"cmd":[]},"type":"process"},"execution_id":"e1",' ..
      '"inputs":[],"job_id":"e1","resources":{}}', json.encode(asked))
  end)

  it("needs one id", function()
    local asked = request.normalise({ ExecutionID = "x1", JobID = "" }, { params = PARAMS })
    assert.equal("x1", asked.job_id)
    assert.same({ nil, "job_id: required, but not given", "invalid" },
      { request.normalise({}, { params = PARAMS }) })
  end)

  for _, case in ipairs {
    { { stop_signal = "quit" }, "stop_signal", 3 }, { { stop_signal = 37 }, "stop_signal", 37 },
    { { stop_signal = "SIGRTMIN+3" }, "stop_signal", 37 },
    { { timeout = "1m30s" }, "timeout", 90 }, { { timeout = 0.5 }, "timeout", 0.5 },
    { { stop_grace = 0 }, "stop_grace", 0 }, { { enforce = "strict" }, "enforce", "strict" },
    { { gateway_ip = "[fe80::1]" }, "gateway_ip", "fe80::1" },
    { { job_id = ("a"):rep(128) }, "execution_id", ("a"):rep(128) },
    { { results_dir = "/a/..b/c" }, "results_dir", "/a/..b/c" },
    { { persist_logs_duration = 0 }, "persist_logs_duration", 0 },
  } do
    it("has " .. case[2] .. " " .. tostring(case[3]):sub(1, 12), function()
      local asked, err = normalise(case[1])
      assert.equal(case[3], assert(asked, err)[case[2]])
    end)
  end

  for ip, wanted in pairs {
    ["0.0.0.0"] = "0.0.0.0", ["127.0.0.1"] = true, ["::"] = true, ["::1"] = true, ["[::1]"] = "::1",
    ["1:2:3:4:5:6:7:8"] = true, ["fe80::"] = true, ["::ffff:10.0.0.1"] = true, ["1::8"] = true,
    ["1:2:3:4:5:6:1.2.3.4"] = true, ["127.0.1"] = false, ["256.1.1.1"] = false,
    ["1:1:1:1:1.1.1.1:1.1.1.1"] = false, ["01.2.3.4"] = false,
    ["1.2.3.4 "] = false, ["[127.0.0.1]"] = false, [":::"] = false, ["1::2::3"] = false,
    ["1:2:3:4:5:6:7"] = false, ["1:2:3:4:5:6:7:8:9"] = false, ["12345::"] = false, [":1"] = false,
    ["1:"] = false, ["::1%eth0"] = false, ["1.2.3.4::"] = false, ["::1.2.3.4:5"] = false,
    ["1:2:3:4:5:6:7::8"] = false, ["localhost"] = false, ["[::1"] = false,
  } do
    it("has the address " .. ip .. (wanted and "" or " refused"), function()
      local asked, err = normalise { ports_to_bind = { { ip = ip, executor_port = 80 } } }
      if wanted then
        assert.equal(wanted == true and ip or wanted, assert(asked, err).ports_to_bind[1].ip)
      else
        assert.equal(('ports_to_bind[1].ip: expected an IP address, got "%s"'):format(ip), err)
      end
    end)
  end

  for pci, wanted in pairs {
    ["0000:0B:00.0"] = "0000:0b:00.0", ["00000001:0b:00.0"] = "0001:0b:00.0",
    ["0b:1f.7"] = "0000:0b:1f.7", ["10000:01:00.0"] = "10000:01:00.0",
    ["00000000:0B:00.0\0\0"] = "0000:0b:00.0", ["0000:0b:20.0"] = false, ["0b:00.8"] = false,
    ["0000:0b:00"] = false, ["0"] = false, ["g000:0b:00.0"] = false,
  } do
    it("has the GPU at " .. pci:gsub("%z", " "), function()
      local asked, err = normalise { resources = { gpus = { { pci_address = pci } } } }
      if wanted then
        assert.is_nil((err[1]))
        assert.equal(wanted, asked.resources.gpus[1].pci_address)
      elseif pci:find("^[%w:.]*$") then
        assert.truthy(err:find("resources.gpus[1].pci_address: expected a PCI", 1, true), err)
      end
    end)
  end

  for _, case in ipairs {
    { { jobid = "a" }, 'unknown field "jobid"' }, { { EngineSpecs = {} },
      'did you mean "EngineSpec"?' },
    { { JobID = "e2" }, 'job_id: given twice, as "JobID" and as "job_id"' },
    { { job_id = "a" },
      'job_id: expected an id of 2 to 128 letters, digits, "_", "." and "-", got "a"' },
    { { job_id = ("a"):rep(129) }, "job_id: expected an id of 2 to 128" },
    { { job_id = "-ab" }, "job_id: expected an id" }, { { job_id = "a/b" },
      "job_id: expected an id" },
    { { execution_id = "ab\n" }, "execution_id: expected an id" }, { { job_id = 12 }, "job_id: " },
    { { engine_spec = { type = "Foo" } }, 'engine_spec.type: unknown backend "foo"' },
    { { engine_spec = { type = 3 } }, "engine_spec.type: expected a string, got 3" },
    { { engine_spec = { params = { image = "a" } } }, "engine_spec.params.image: unknown field" },
    { { engine_spec = { params = { cmd = { "a", 1 } } } },
      "engine_spec.params.cmd[2]: expected a string" },
    { { engine_spec = { params = "a" } }, 'engine_spec.params: expected an object, got "a"' },
    { { resources = { cpu = { cores = -1 } } },
      "resources.cpu.cores: expected a number above 0, got -1" },
    { { resources = { cpu = { cores = "2" } } },
      'resources.cpu.cores: expected a number above 0, got "2"' },
    { { resources = { ram = { size = 1.5 } } }, "resources.ram.size: expected a whole number" },
    { { resources = { ram = { size = 2 ^ 53 + 2 } } },
      "resources.ram.size: expected a whole number" },
    { { resources = { gpus = { { vram = 1e17 } } } },
      "resources.gpus[1].vram: expected a number up to" },
    { { resources = { gpus = { { uuid = "a b" } } } },
      "resources.gpus[1].uuid: expected the uuid" },
    { { PortsToBind = { { HostPort = 70000, ExecutorPort = 1 } } },
      "ports_to_bind[1].host_port: expected a whole number from 0 to 65535, got 70000" },
    { { PortsToBind = { { ExecutorPort = 0 } } }, "ports_to_bind[1].executor_port: " },
    { { PortsToBind = { { HostPort = 1 } } }, "ports_to_bind[1].executor_port: required" },
    { { inputs = { { source = "" } } }, "inputs[1].source: expected a string that is not empty" },
    { { outputs = { { source = "/a", target = "b" } } },
      "outputs[1].target: expected an absolute path" },
    { { keys = { { type = "rsa", file = "x" } } },
      'keys[1].type: expected "ssh" or "gpg", got "rsa"' },
    { { keys = { { type = "ssh" } } }, "keys[1].file: required" },
    { { results_dir = "a/b" }, 'results_dir: expected an absolute path, got "a/b"' },
    { { results_dir = "/a/../b" }, 'results_dir: a path with ".." is not allowed: "/a/../b"' },
    { { results_dir = "/a/.." }, "results_dir: a path with" },
    { { results_dir = "/a\0" }, "results_dir: a NUL byte is not allowed" },
    { { provision_scripts = { ["a/b"] = "eA==" } },
      'provision_scripts: expected a script name of' },
    { { provision_scripts = { [".."] = "eA==" } }, 'provision_scripts: expected a script name of' },
    { { provision_scripts = { ab = "" } }, "provision_scripts.ab: the script is empty" },
    { { provision_scripts = { ab = base64.encode "a\0" } },
      "provision_scripts.ab: the script holds a NUL" },
    { { provision_scripts = { ab = base64.encode "\239\187\191" } },
      "provision_scripts.ab: the script is empty" },
    { { provision_scripts = { ab = base64.encode "#!/bin/sh\recho one\r" } },
      "provision_scripts.ab: a carriage return in the first line" },
    { { provision_scripts = { ab = base64.encode "#! \n" } },
      "provision_scripts.ab: no interpreter after #!" },
    { { provision_scripts = { ab = base64.encode "#!" } },
      "provision_scripts.ab: no interpreter after #!" },
    { { provision_scripts = { ["a.sh"] = "?" } }, 'provision_scripts["a.sh"]: not base64' },
    { { stop_signal = "SIGFOO" }, 'stop_signal: unknown signal "SIGFOO"' },
    { { timeout = "soon" }, "timeout: expected a duration" }, { { timeout = -1 },
      "timeout: expected" },
    { { persist_logs_duration = 1e17 }, "persist_logs_duration: expected whole nanoseconds" },
    { { enforce = "maybe" }, 'enforce: expected "warn" or "strict", got "maybe"' },
    { { gateway_ip = "10.0.0" }, "gateway_ip: expected an IP address" },
  } do
    it("is refused with " .. case[2], function()
      local asked, err, code = normalise(case[1])
      assert.is_nil(asked)
      assert.equal("invalid", code)
      assert.truthy(err:find(case[2], 1, true), err)
    end)
  end

  it("may hold what is not known, below resources or where DMS grows", function()
    local _, warnings = normalise {
      resources = { npus = {}, cpu = { core = 1 }, ram = { size = 1024 } },
    }
    assert.same({ "resources.npus: unknown field (did you mean \"gpus\"?)",
      'resources.cpu.core: unknown field (did you mean "cores"?)' }, warnings)
    local asked, more = normalise({ NewThing = 1, engine_spec = { params = { x = 1 } } },
      { lenient = true })
    assert.is_table(asked)
    assert.same({ 'unknown field "NewThing"', "engine_spec.params.x: unknown field" }, more)
  end)

  it("uses the default type of the handle", function()
    local asked = normalise({}, { default_type = "box", params = { box = PARAMS.process } })
    assert.equal("box", asked.engine_spec.type)
  end)
end)

describe("a request without its secrets", function()
  local asked = normalise {
    keys = { { type = "gpg", file = "SECRET", dest = "/k" } },
    provision_scripts = { ["password"] = base64.encode "SECRET" },
    engine_spec = { params = { environment = { "A=SECRET=1", "B=" }, cmd = {},
      registry_auth = { username = "u", password = "SECRET" } } },
  }

  it("is what the disk gets", function()
    local kept = request.for_disk(asked)
    assert.same({ type = "gpg", dest = "/k" }, kept.keys[1])
    assert.same({ password = { size = 6 } }, kept.provision_scripts)
    assert.same({ environment = { "A=SECRET=1", "B=" }, cmd = {} }, kept.engine_spec.params)
    assert.is_true(json.is_array(kept.engine_spec.params.cmd))
  end)

  it("is what people get, with masked values", function()
    local encoded = json.encode(request.for_display(request.for_disk(asked)))
    assert.is_nil(encoded:find("SECRET", 1, true))
    assert.truthy(encoded:find('"environment":["A=***","B=***"]', 1, true))
  end)

  it("shows nothing of what a guest is told", function()
    local shown = request.for_display { engine_spec = { params = { mmds_message = { a = "SECRET" },
      kernel_image = "/k" } } }
    assert.same({ mmds_message = "***", kernel_image = "/k" }, shown.engine_spec.params)
  end)

  it("leaves the request as it is", function()
    assert.equal("SECRET", asked.keys[1].file)
    assert.equal("SECRET", asked.provision_scripts.password)
    assert.equal("A=SECRET=1", asked.engine_spec.params.environment[1])
  end)
end)
