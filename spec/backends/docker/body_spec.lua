local address = require "exhost.request.address"
local body = require "backends.docker.body"
local json = require "exhost.json"
local mounts = require "backends.docker.mounts"
local params = require "backends.docker.params"
local request = require "exhost.request"

local function asked(fields, image_params)
  local raw = { job_id = "job-1", execution_id = "exec-1",
    engine_spec = { type = "docker", params = { image = "bb:1" } } }
  for key, value in pairs(fields or {}) do raw[key] = value end
  for key, value in pairs(image_params or {}) do raw.engine_spec.params[key] = value end
  return request.normalise(raw, { params = { docker = params } })
end

local function create(fields, image_params, image)
  return body.make(assert(asked(fields, image_params)), "root", image or {}).create
end

describe("docker: a disk limit", function()
  it("is passed on where the operator says that the engine can keep it", function()
    local wanted = assert(asked { resources = { disk = { size = 5 * 1024 ^ 3 } } })
    local able = body.make(wanted, "root", {}, { disk_limits = true })
    assert.same({ size = "5368709120" }, able.create.HostConfig.StorageOpt)
    assert.same({}, able.unenforced)
    local unable = body.make(wanted, "root", {}, { disk_limits = false })
    assert.is_nil(unable.create.HostConfig.StorageOpt)
    assert.matches("^disk limit .*backends.docker.disk_limits = true", unable.unenforced[1])
  end)
end)

describe("docker: credentials", function()
  for _, case in ipairs {
    { { username = "u", password = "SECRET" } }, { { registry_auth = {} } },
    { { username = "", password = "" } },
    { { registry_auth = { username = "u", password = "SECRET" } } },
    { { registry_auth = { username = "u", identitytoken = "SECRET" } } },
    { { registry_auth = { identitytoken = "SECRET" } } },
    { { username = "u" }, ": username is given without password: give both or neither" },
    { { username = "u", password = "" }, ": username is given without password" },
    { { password = "SECRET" }, ": password is given without username: give both or neither" },
    { { registry_auth = { username = "u" } }, ".registry_auth: username is given without" },
    { { registry_auth = { password = "SECRET" } }, ".registry_auth: password is given without" },
  } do
    it((case[2] and "are refused: " or "are taken: ") .. json.encode(case[1]), function()
      local made, err, code = asked(nil, case[1])
      if not case[2] then return assert.is_table(made) end
      assert.is_nil(made)
      assert.equal("engine_spec.params" .. case[2], err:sub(1, 18 + #case[2]))
      assert.is_nil(err:find("SECRET", 1, true))
      assert.is_true(code == nil or code == "invalid")
    end)
  end
end)

describe("docker: volumes and ports", function()
  local function volume(source, target) return { source = source, target = target } end
  local function port(ip, host, executor, protocol)
    return { ip = ip, host_port = host, executor_port = executor, protocol = protocol }
  end

  for err, fields in pairs {
    ["inputs[1].target: required, but not given"] = { inputs = { volume("/a") } },
    ["outputs[1].target: required, but not given"] = { outputs = { volume("/a", "") } },
    ["inputs[1].target: the root cannot be mounted over"] = { inputs = { volume("/a", "//./") } },
    ['inputs[1].source: expected an absolute path or the name of a volume, got "./a"'] =
      { inputs = { volume("./a", "/in") } },
    ['inputs[1].source: expected an absolute path or the name of a volume, got ".."'] =
      { inputs = { volume("..", "/in") } },
    ['inputs[2].source: expected an absolute path or the name of a volume, got "vol:1"'] =
      { inputs = { volume("v1", "/v"), volume("vol:1", "/in") } },
    ['inputs[1].source: expected an absolute path or the name of a volume, got "v"'] =
      { inputs = { volume("v", "/in") } },
    ['outputs[1].target: the same place as inputs[1].target: "//in/."'] =
      { inputs = { volume("/a", "/in") }, outputs = { volume("/b", "//in/.") } },
    ["ports_to_bind[2]: binds the same port of the host as ports_to_bind[1]: 80"] =
      { ports_to_bind = { port("::1", 80, 1), port("0:0::0001", 80, 2, "TCP") } },
    ["ports_to_bind[3]: binds the same port of the host as ports_to_bind[1]: 80"] =
      { ports_to_bind = { port("127.0.0.1", 80, 1), port("", 81, 1), port("127.0.0.1", 80, 1) } },
  } do
    it("are refused where an engine would: " .. err, function()
      assert.same({ nil, err, "invalid" }, { mounts.check(assert(asked(fields))) })
    end)
  end

  it("are taken where they differ", function()
    assert.is_true(mounts.check(assert(asked {
      inputs = { volume("/a,b=c:d", "/in:x"), volume("vol_1", "/in"), volume("/a", "/..in") },
      outputs = { volume("/a", "/in/..x") },
      ports_to_bind = { port("::1", 80, 1), port("::", 80, 1), port("::1", 80, 1, "udp"),
        port("1::", 80, 1), port("", 0, 5), port("", 0, 5), port("127.0.0.1", 80, 1) },
    })))
  end)

  it("compare addresses in any spelling", function()
    for one, other in pairs { ["::1"] = "0:0:0:0:0:0:0:1", ["FE80::A"] = "fe80:0::000a",
      ["::"] = "0::0", ["::ffff:1.2.3.4"] = "::FFFF:102:304", ["1::"] = "1:0::0" } do
      assert.equal(address.canonical(one), address.canonical(other))
    end
  end)
end)

describe("docker body", function()
  it("has DMS's labels and our own, and the job's name", function()
    local made = body.make(assert(asked()), "root", {})
    assert.equal("job-1", made.name)
    assert.same({ ["nunet-executor"] = "root", ["nunet-jobID"] = "job-1",
      ["nunet-executionID"] = "exec-1", ["exhost.executor"] = "root", ["exhost.job"] = "job-1",
      ["exhost.execution"] = "exec-1" }, made.create.Labels)
  end)

  it("is JSON that Go accepts", function()
    local text = assert(json.encode(create({ inputs = {}, outputs = {},
      resources = { cpu = { cores = 4.1 }, ram = { size = 17179869184 } },
      ports_to_bind = { { host_port = 80, executor_port = 80 } } },
      { cmd = {}, entrypoint = {}, environment = {} })))
    for _, key in ipairs { "Cmd", "Entrypoint", "Env", "Mounts", "Binds", "CapAdd", "Devices" } do
      assert.not_matches('"' .. key .. '":{', text)
    end
    assert.matches('"ExposedPorts":{"80/tcp":{}}', text)
    assert.matches('"NanoCpus":4100000000,', text)
    assert.matches('"Memory":17179869184,', text)
    for number in text:gmatch(":(%-?[%d.eE+]+)[,}]") do assert.matches("^%-?%d+$", number) end
  end)

  it("keeps every byte of words and variables", function()
    local environment = { "MULTI=l1\nl2\n", "Q=a\"b'c\\d$HOME `x`", "EQ=a=b=c", "EMPTY=",
      "UNI=naïve 日本", "SP= x ", "A=1", "A=2" }
    local made = create({}, { environment = environment, cmd = { "printf", "%s|", "a b", "" } })
    assert.same({ environment[1], environment[2], environment[3], environment[4], environment[5],
      environment[6], "A=2" }, made.Env)
    assert.same({ "printf", "%s|", "a b", "" }, made.Cmd)
    local _, err = asked({}, { environment = { "NOEQUALS" } })
    assert.matches("^engine_spec.params.environment%[1%]: ", err)
  end)

  it("binds ports as asked", function()
    local made = create { ports_to_bind = { { ip = "::1", host_port = 8080, executor_port = 80 },
      { ip = "127.0.0.1", host_port = 8081, executor_port = 80 },
      { executor_port = 53, protocol = "udp" } } }
    assert.same({ ["80/tcp"] = { { HostIp = "::1", HostPort = "8080" },
      { HostIp = "127.0.0.1", HostPort = "8081" } },
      ["53/udp"] = { { HostIp = "", HostPort = "" } } }, made.HostConfig.PortBindings)
    assert.same({ ["80/tcp"] = {}, ["53/udp"] = {} }, made.ExposedPorts)
    for field, port in pairs { ip = { ip = "127.0.1", executor_port = 1 },
      host_port = { host_port = 70000, executor_port = 1 } } do
      local _, err = asked { ports_to_bind = { port } }
      assert.matches("^ports_to_bind%[1%]." .. field .. ": ", err)
    end
  end)

  it("mounts paths and volumes, never as text with colons", function()
    local made = create { inputs = { { type = "bind", source = "/srv/t/task:42/in", target = "/in",
      readonly = true }, { source = "data", target = "/data" } },
      outputs = { { source = "/srv/out", target = "/out" } } }
    assert.same({ Type = "bind", Source = "/srv/t/task:42/in", Target = "/in", ReadOnly = true },
      made.HostConfig.Mounts[1])
    assert.equal("volume", made.HostConfig.Mounts[2].Type)
    assert.equal("root", made.HostConfig.Mounts[2].VolumeOptions.Labels["exhost.executor"])
    assert.is_nil(made.HostConfig.Mounts[3].ReadOnly)
    assert.is_nil(made.HostConfig.Binds)
  end)

  it("limits and is safe by default", function()
    local host = create({ resources = { cpu = { cores = 0.5 }, ram = { size = 64 * 1024 ^ 2 } } })
      .HostConfig
    assert.same({ 67108864, 67108864, 500000000, 4096 },
      { host.Memory, host.MemorySwap, host.NanoCpus, host.PidsLimit })
    assert.same({ "no-new-privileges" }, host.SecurityOpt)
    assert.is_nil(host.Privileged)
    assert.is_nil(create({ resources = { ram = { size = 1024 } } }).HostConfig.Memory)
    assert.is_true(create({}, { privileged = true }).HostConfig.Privileged)
  end)

  it("takes the rest of a request", function()
    local made = create({ gateway_ip = "10.0.0.1", stop_signal = "SIGQUIT" },
      { restart_policy = "on-failure", user = "1:2", working_directory = "/w", tty = true })
    assert.same({ Name = "on-failure", MaximumRetryCount = 3 }, made.HostConfig.RestartPolicy)
    assert.same({ "10.0.0.1", "1.1.1.1" }, made.HostConfig.Dns)
    assert.same({ "1:2", "/w", true, "SIGQUIT" },
      { made.User, made.WorkingDir, made.Tty, made.StopSignal })
  end)

  it("takes a pulled image's command, and nothing else, into a body that is decided", function()
    local asked_for = assert(asked({ provision_scripts = { a = "ZQ==" } },
      { environment = { "A=1" } }))
    local made = body.make(asked_for, "root", nil).create
    made.Env = { "A=1", "NVIDIA_VISIBLE_DEVICES=void" }
    made.HostConfig.GroupAdd = { "video" }
    body.set_command(made, asked_for, { Entrypoint = { "/entry" }, Cmd = { "arg" } })
    assert.same({ "/bin/sh", "/.exhost/run" }, made.Entrypoint)
    assert.same({ "/entry", "arg" }, made.Cmd)
    assert.same({ "A=1", "NVIDIA_VISIBLE_DEVICES=void" }, made.Env)
    assert.same({ "video" }, made.HostConfig.GroupAdd)
  end)

  it("puts scripts before the command, which stays a list of words", function()
    local scripts = { provision_scripts = { b = "ZQ==", a = "ZQ==" } }
    local made = body.make(assert(asked(scripts, { cmd = { "a b", "$X" } })), "root",
      { Entrypoint = { "/entry" }, Cmd = { "unused" } })
    assert.same({ "/bin/sh", "/.exhost/run" }, made.create.Entrypoint)
    assert.same({ "/entry", "a b", "$X" }, made.create.Cmd)
    assert.same({ "a", "b" }, made.scripts)
    assert.same({ "/mine" }, create(scripts, { entrypoint = { "/mine" } },
      { Entrypoint = { "/entry" }, Cmd = { "unused" } }).Cmd)
  end)
end)
