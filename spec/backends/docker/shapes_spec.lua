--- What is sent to an engine has the shapes that are written down by hand.

local body = require "backends.docker.body"
local check = require "support.shapes.check"
local client = require "backends.docker.client"
local containers = require "backends.docker.containers"
local decide = require "backends.docker.decide"
local docker = require "backends.docker.init"
local engine = require "support.engine"
local fields = require "backends.docker.fields"
local image = require "backends.docker.image"
local json = require "exhost.json"
local params = require "backends.docker.params"
local provision = require "backends.docker.provision"
local request = require "exhost.request"
local scratch = require "support.scratch"
local settings = require "backends.docker.settings"
local shapes = require "support.shapes.docker"

local TYPED = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\r\n"

--- Hold against the shapes: a method, what stands behind the version, and a body.
local function held(method, target, text, version)
  return check.request(shapes, { method = method, target = "/v" .. (version or "1.41") .. target,
    head = text and TYPED, body = text and (type(text) == "string" and text or json.encode(text)) })
end

--- A request with all that one can have; `more` replaces some of it.
local function asked(more)
  local raw = { job_id = "job-1", execution_id = "exec-1", gateway_ip = "10.0.0.1",
    stop_signal = "SIGQUIT", timeout = 5,
    resources = { cpu = { cores = 0.3 }, ram = { size = 64 * 2 ^ 20 },
      disk = { size = 5 * 2 ^ 30 } },
    inputs = { { source = "/srv/in", target = "/in", readonly = true } },
    outputs = { { source = "data", target = "/out" } },
    ports_to_bind = { { ip = "::1", host_port = 80, executor_port = 80 },
      { executor_port = 53, protocol = "udp" } },
    provision_scripts = { a = "ZQ==" },
    engine_spec = { type = "docker", params = { image = "bb:1", entrypoint = { "a" },
      cmd = { "b" }, environment = { "A=1" }, working_directory = "/w", user = "1:2",
      restart_policy = "on-failure", tty = true, init = true, network = "none", pids = 10,
      platform = "linux/amd64", username = "u", password = "p" } } }
  for key, value in pairs(more or {}) do raw[key] = value end
  return assert(request.normalise(raw, { params = { docker = params } }))
end

local function planned(of)
  local made = body.make(of, "root", {}, { disk_limits = true })
  decide.apply(nil, made, { env = { B = { value = 2, from = {} } }, config = {
    GroupAdd = { list = true, value = { "video" }, from = {} },
    Devices = { list = true, value = { { PathOnHost = "/dev/kfd", PathInContainer = "/dev/kfd",
      CgroupPermissions = "rwm" } }, from = {} },
    DeviceRequests = { list = true, value = { { DeviceIDs = { "GPU-1" },
      Capabilities = { { "gpu" } } } }, from = {} } } })
  return made
end

describe("docker: a shape", function()
  local function host(config)
    config.PidsLimit, config.LogConfig = config.PidsLimit or 1, { Type = "none" }
    return { "POST", "/containers/create?name=x",
      { Image = "bb:1", Labels = { a = "b" }, HostConfig = config } }
  end
  local own = "/containers/x/"

  for err, case in pairs {
    ["/containers/x/rename: no such request"] = { "POST", own .. "rename" },
    ["/containers/x/start: no such request"] = { "GET", own .. "start" },
    ["/_ping: no such request"] = { "GET", "/_ping" }, -- it has no version
    ["/containers/%2E%2E/start: no name or id"] = { "POST", "/containers/%2E%2E/start" },
    ["query.timeout: is not in the shape"] = { "POST", own .. "stop?timeout=1" },
    ["query.t: expected int"] = { "POST", own .. "stop?t=1.5" },
    ["query.t: is there twice"] = { "POST", own .. "stop?t=1&t=2" },
    ["query.signal: is known to engines from API 1.42"] = { "POST", own .. "stop?signal=2" },
    ["query.signal: expected signal"] = { "POST", own .. "kill?signal=%20" },
    ["query.force: expected bool"] = { "DELETE", "/containers/x?force=yes" },
    ["query: not escaped"] = { "GET", own .. "archive?path=/a b" },
    ["query.path: required"] = { "GET", own .. "archive" },
    ["query.condition: expected condition"] = { "POST", own .. "wait?condition=soon" },
    ["query.since: expected time"] = { "GET", own .. "logs?stdout=1&stderr=1&since=2026-01-02" },
    ["query.filters: name is not in the shape"] =
      { "GET", "/networks?filters=" .. client.escape('{"name":["a"]}') },
    ["query.filters: label: expected a list"] =
      { "GET", "/networks?filters=" .. client.escape('{"label":{"a":true}}') },
    ["has a body that is not in the shape"] = { "POST", own .. "start", "{}" },
    ["has no body"] = { "POST", own .. "exec" },
    ["body: not JSON"] = { "POST", own .. "update", "{" },
    ["body: a number that is written as no integer"] = { "POST", own .. "update",
      '{"Memory":1e9}' },
    ["body.Cmd: required"] = { "POST", own .. "exec",
      { AttachStdout = true, AttachStderr = true } },
    ["body.Cmd: expected a list"] = { "POST", own .. "exec",
      { AttachStdout = true, AttachStderr = true, Cmd = {} } },
    ["body.HostConfig.PidsLimit: required"] = { "POST", "/containers/create?name=x",
      { Image = "a", Labels = { a = "b" }, HostConfig = { LogConfig = { Type = "none" } } } },
    ["body.HostConfig.memory: is not in the shape"] = host { memory = 1 },
    ["body.HostConfig.Memory: expected integer, got string"] = host { Memory = "1" },
    ["body.HostConfig.Init: expected boolean, got number"] = host { Init = 1 },
    ["body.HostConfig.Mounts: expected a list, got an object"] = host { Mounts = { a = 1 } },
    ["body.HostConfig.Mounts[2].Target: required"] = host { Mounts = {
      { Type = "bind", Target = "/a" }, { Type = "bind" } } },
    ["body.HostConfig.Sysctls: expected an object, got a list"] = host { Sysctls = { "a" } },
    ["body.HostConfig.PortBindings.80/tcp[1].HostPort: expected string, got number"] =
      host { PortBindings = { ["80/tcp"] = { { HostPort = 80 } } } },
    ["body.HostConfig.Annotations: is known to engines from"] = host { Annotations = {} },
  } do
    it("refuses what it is not: " .. err, function()
      local ok, why = held(unpack(case))
      assert.is_nil(ok)
      assert.is_truthy(why:find(err, 1, true), why)
    end)
  end

  it("refuses headers and bodies of another kind", function()
    local function fails(method, target, head, text, err)
      local _, why = check.request(shapes, { method = method, target = "/v1.41" .. target,
        head = "\r\n" .. head .. "\r\n\r\n", body = text })
      assert.is_truthy(why:find(err, 1, true), why)
    end
    fails("POST", own .. "start", "X-Registry-Auth: e30=", "", "X-Registry-Auth: is not in")
    fails("POST", "/images/create?fromImage=a&tag=b", "X-Registry-Auth: {}", "", "expected auth")
    fails("POST", own .. "update", "Content-Type: text/plain", "{}", "expected application/json")
    fails("PUT", own .. "archive?path=%2F", "A: b", "tar", "expected application/x-tar, got nil")
  end)

  it("takes what newer engines know of them alone", function()
    assert(held("POST", own .. "stop?t=5&signal=2", nil, "1.42"))
    local case = host { Annotations = { a = "b" } }
    assert(held(case[1], case[2], case[3], "1.43"))
  end)
end)

describe("docker: a fake engine", function()
  it("refuses what has no shape, and fails the spec that let that be sent",
    scratch.with(function(_, path)
      local fake = engine.fake(path, {})
      local status, answer = fake:call("POST", "/containers/x/start?soon=1")
      assert.same({ 400, "shape: POST /containers/x/start: query.soon: is not in the shape" },
        { status, answer.message })
      assert.has_error(function() fake:quit() end,
        "the engine was sent what it does not take: " .. answer.message)
    end))
end)

describe("docker: what is sent", function()
  it("is a body with the shape of one, whatever is in it", function()
    local sent = assert(json.encode(planned(asked()).create))
    assert(held("POST", "/containers/create?name=job-1", sent))
    for _, name in ipairs { "Memory", "NanoCpus", "StorageOpt", "Dns", "Mounts", "PortBindings",
      "RestartPolicy", "NetworkMode", "Init", "StopSignal", "Devices", "DeviceRequests" } do
      assert.is_truthy(sent:find('"' .. name .. '":', 1, true), name)
    end
    local privileged = asked { engine_spec = { type = "docker",
      params = { image = "bb:1", privileged = true } } }
    assert(held("POST", "/containers/create?name=job-1", planned(privileged).create))
  end)

  --- A value of a form, with all that it can have.
  local function sample(form)
    if type(form) ~= "table" then
      return form == "string" and "s" or form == "integer" and 1 or true
    end
    if form.from then return sample(form.form) end
    if form.list then return json.array { sample(form.list) } end
    if form.map then return { name = sample(form.map) } end
    local made = {}
    for name, inner in pairs(form.record) do made[name] = sample(inner) end
    return made
  end

  it("is let through to the engine in every field of the shape", function()
    for _, shape in ipairs(shapes) do
      if shape[1] == "POST /containers/create" then
        local all = sample(shape.body)
        assert(fields.check(all))
        assert(held("POST", "/containers/create?name=x", all, "1.51"))
      end
    end
  end)

  --- All that a backend does of itself, whatever comes of it. Suspends.
  local function do_everything(api)
    local wanted = asked { keys = { { type = "gpg", file = "k", dest = "/k" } } }
    local execution = { id = "exec-1", job = "job-1", handle = "x", record = { container = "x" },
      request = wanted, plan = planned(wanted), event = function() end }
    local self = { api = api, executor = "root", own = assert(settings.check {}), samples = {},
      settings = { output_limit = 1000 } }
    docker.health(self)
    require "backends.docker.doctor"(self)
    docker.adoptable(self)
    image.ensure(api, wanted.engine_spec.params, "missing", { settings = self.own })
    containers.create(self, execution)
    provision.copy(api, "x", execution)
    wanted.provision_scripts = nil
    provision.copy(api, "x", execution)
    docker.start(self, execution)
    docker.info(self, execution)
    docker.stats(self, execution)
    docker.update(self, execution, { memory = 2 ^ 33, cores = 0.3, pids = 7 })
    docker.exec(self, execution, { "true" }, {})
    docker.pause(self, execution)
    docker.resume(self, execution)
    docker.signal(self, execution, 37)
    docker.conclude(self, execution, { code = "137" })
    containers.remove(self, nil, execution)
    containers.cleanup(self)
  end

  it("by a backend is all of the shapes, but the supervisor's own", scratch.with(function(_, path)
    local fake = engine.fake(path, {})
    local api = assert(client.open(fake.socket))
    do_everything(api)
    api:close()
    local never, sent = {}, fake.process:stdout()
    for _, shape in ipairs(shapes) do never[shape[1]] = true end
    for method, target in sent:gmatch("(%u+) (/%S+)\n") do
      local fits = method .. " " .. target
      for _, shape in ipairs(shapes) do
        local pattern = "^" .. shape[1]:gsub(" ", " %%S*"):gsub("{%w+}", "[^/?]+") .. "%f[?%z]"
        if fits:find(pattern) then never[shape[1]] = nil end
      end
    end
    fake:quit()
    local left = {}
    for name in pairs(never) do left[#left + 1] = name end
    table.sort(left)
    assert.same({ "GET /containers/{id}/logs", "POST /containers/{id}/attach",
      "POST /containers/{id}/stop", "POST /containers/{id}/wait" }, left, sent)
  end))
end)
