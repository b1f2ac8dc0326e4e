--- Where the fields of a container's body come from, as `exhost plan` tells it. Without an engine.

local body = require "backends.docker.body"
local decide = require "backends.docker.decide"
local origin = require "exhost.plan.origin"
local params = require "backends.docker.params"
local request = require "exhost.request"

local BACKEND = { origins = require "backends.docker.origins", grants = decide.grants }

local FULL = { job_id = "job-1", execution_id = "exec-1", stop_signal = "QUIT",
  gateway_ip = "10.0.0.1", provision_scripts = { a = "dHJ1ZQo=" },
  inputs = { { source = "/srv/in", target = "/in" } },
  outputs = { { source = "out", target = "/out" } },
  ports_to_bind = { { executor_port = 80 } },
  resources = { cpu = { cores = 2 }, ram = { size = 2 ^ 26 }, disk = { size = 2 ^ 30 } },
  engine_spec = { type = "docker", params = { image = "bb:1", entrypoint = { "sh" }, cmd = { "x" },
    environment = { "A=1" }, working_directory = "/w", user = "me", tty = true, init = true,
    restart_policy = "no", network = "bridge", pids = 9 } } }

--- The origins of a request's plan, with what a policy decided.
local function origins(raw, allowed, decision)
  local asked = assert(request.normalise(raw, { params = { docker = params } }))
  local made = body.make(asked, "root", {}, { disk_limits = true })
  decide.apply(nil, made, decision or { config = {}, env = {} })
  local found, sent = origin({ backend = BACKEND, request = asked, body = made }, allowed or {})
  assert.equal("create", sent)
  return found, made.create
end

describe("docker: the origin of a field", function()
  it("is the request where it asks for it, a default else, and told for each", function()
    local full, made = origins(FULL)
    for field in pairs(made) do
      assert.is_true(field == "Env" or field == "HostConfig" or full[field] ~= nil, field)
    end
    for field in pairs(made.HostConfig) do assert.is_table(full["HostConfig." .. field], field) end
    local DEFAULTS = { Labels = true, ["HostConfig.CapDrop"] = true,
      ["HostConfig.SecurityOpt"] = true, ["HostConfig.LogConfig"] = true }
    for field, from in pairs(full) do
      local is_default = DEFAULTS[field] or false
      assert.equal(is_default, from[1] == "default", field)
      assert.equal(not is_default, from[1]:find("^request [%l_.]+$") ~= nil, field)
    end
    assert.same({ "request provision_scripts", "request engine_spec.params.entrypoint",
      "request engine_spec.params.cmd" }, full.Cmd)
    assert.same({ "request inputs", "request outputs" }, full["HostConfig.Mounts"])
    local bare = origins { job_id = "job-1", execution_id = "exec-1",
      engine_spec = { type = "docker", params = { image = "bb:1" } } }
    assert.same({ { "default" }, { "default" }, { "request engine_spec.params.image" } },
      { bare["HostConfig.PidsLimit"], bare.Tty, bare.Image })
  end)

  it("is the policy's line, behind what it adds to", function()
    local found = origins(FULL, {}, { config = {
      Devices = { list = true, value = { {} }, from = { "amd.lua:4", "amd.lua:9" } },
      CapDrop = { list = true, value = { "CHOWN" }, from = { "amd.lua:5" } },
      NetworkMode = { value = "none", from = { "amd.lua:6" } } },
      env = { A = { value = "2", from = { "amd.lua:7" } },
        B = { value = "3", from = { "amd.lua:8" } } } })
    assert.same({ "amd.lua:4", "amd.lua:9" }, found["HostConfig.Devices"])
    assert.same({ "default", "amd.lua:5" }, found["HostConfig.CapDrop"])
    assert.same({ "amd.lua:6" }, found["HostConfig.NetworkMode"])
    assert.same({ { "amd.lua:7" }, { "amd.lua:8" } }, { found["Env.A"], found["Env.B"] })
  end)

  it("names what of the ceiling lets it through", function()
    local raw = request.for_disk(FULL)
    raw.provision_scripts, raw.engine_spec.params.privileged = nil, true
    local found = origins(raw, { privileged = true, binds = { "/srv" }, memory = 2 ^ 30, pids = 10,
      networks = { "bridge" } })
    assert.same({ "request engine_spec.params.privileged", "ceiling.privileged" },
      found["HostConfig.Privileged"])
    assert.same({ "request inputs", "request outputs", "ceiling.binds" },
      found["HostConfig.Mounts"])
    for field, setting in pairs { Memory = "memory", MemorySwap = "memory", PidsLimit = "pids",
      NetworkMode = "networks" } do
      local from = found["HostConfig." .. field]
      assert.equal("ceiling." .. setting, from[#from], field)
    end
    assert.same({ "request resources.cpu.cores" }, found["HostConfig.NanoCpus"])
  end)
end)
