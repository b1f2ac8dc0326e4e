--- GPUs on a real engine, with made nodes: a container sees exactly those that were granted.

local docker = require "support.docker"
local gpus = require "support.gpus"
local system = require "exhost.system"

-- Nodes of the made machine (support/gpus.lua), as harmless as /dev/null. Those that this machine
-- has are left alone.
local NODES = { "/dev/kfd", "/dev/dri/card0", "/dev/dri/card1", "/dev/dri/renderD128",
  "/dev/dri/renderD129" }

local function shell(script)
  assert(os.execute(script) == 0, script)
end

local function make_nodes()
  local made = {}
  shell "mkdir -p /dev/dri"
  for _, node in ipairs(NODES) do
    if os.execute("test -e " .. node) ~= 0 then
      shell("mknod " .. node .. " c 1 3")
      made[#made + 1] = node
    end
  end
  return function()
    for _, node in ipairs(made) do shell("rm -f " .. node) end
    os.execute "rmdir /dev/dri 2>/dev/null"
  end
end

local function with(body)
  return docker.with(function(ex, path)
    ex.settings.inventory = gpus.make(path)
    local remove_nodes = make_nodes()
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, ex)
    remove_nodes()
    if not ok then error(err, 0) end
  end)
end

--- Run with these GPUs; answers what the container saw: devices, and its groups.
local function seen(ex, asked)
  local id = "g-" .. system.random_hex(6)
  local result = assert(ex:run { job_id = id, execution_id = id, resources = { gpus = asked },
    engine_spec = { type = "docker", params = { image = "bb:1", entrypoint = { "/bin/sh", "-c",
      "ls -d /dev/kfd /dev/dri/* 2>/dev/null; echo groups $(id -G); "
      .. "for node in /dev/kfd /dev/dri/*; do [ ! -e $node ] || echo x >$node; done" } } } })
  assert.same({ 0, "" }, { result.exit_code, result.stderr })
  local nodes, groups = {}, nil
  for line in result.stdout:gmatch("[^\n]+") do
    groups = line:match("^groups (.*)") or groups
    if line:find("^/dev") then nodes[#nodes + 1] = line end
  end
  table.sort(nodes)
  return nodes, groups, id
end

local AMD, INTEL = { pci_address = "0000:01:00.0" }, { pci_address = "0000:00:02.0" }

describe("docker: GPUs by their nodes", function()
  it("are those of the AMD that was asked for, for video and the host's render", with(function(ex)
    local nodes, groups, id = seen(ex, { AMD })
    assert.same({ "/dev/dri/card1", "/dev/dri/renderD128", "/dev/kfd" }, nodes)
    assert.equal("0 44 105", groups)
    local policies = assert(ex:info(id)).plan.policies
    assert.same({ "amd" }, { policies[1].name })
  end))

  it("are those of the Intel that was asked for", with(function(ex)
    local nodes, groups = seen(ex, { INTEL })
    assert.same({ "/dev/dri/card0", "/dev/dri/renderD129" }, nodes)
    assert.equal("0 105", groups)
  end))

  it("are both vendors' when both are asked for", with(function(ex)
    local nodes = seen(ex, { AMD, INTEL })
    assert.same({ "/dev/dri/card0", "/dev/dri/card1", "/dev/dri/renderD128",
      "/dev/dri/renderD129", "/dev/kfd" }, nodes)
  end))

  it("are none for a job that asks for none", with(function(ex)
    local nodes, groups = seen(ex)
    assert.same({ {}, "0" }, { nodes, groups })
  end))

  it("are granted to one job at a time, and free when it has ended", with(function(ex)
    local function request(id, script)
      return { job_id = id, execution_id = id, resources = { gpus = { AMD } }, stop_grace = 1,
        engine_spec = { type = "docker", params = { image = "bb:1",
          entrypoint = { "/bin/sh", "-c", script } } } }
    end
    assert(ex:start(request("g1", "sleep 100")))
    local _, err, code = ex:start(request("g2", "true"))
    assert.equal("unavailable", code)
    assert.matches("0000:01:00.0.*g1", err)
    ex.settings.gpu_sharing = true
    assert.equal(0, assert(ex:run(request("g3", "true"))).exit_code)
    ex.settings.gpu_sharing = false
    assert.equal("unavailable", (select(3, ex:start(request("g2", "true")))))
    assert(ex:cancel("g1", { grace = 0 }))
    assert.equal(0, assert(ex:run(request("g2", "true"))).exit_code)
  end))
end)

describe("docker: GPUs by CDI", function()
  --- A spec of a device that is harmless: a node like /dev/null, and a variable.
  local function write_spec()
    assert(os.execute("mkdir -p " .. docker.folder .. "/cdi") == 0)
    local path = docker.folder .. "/cdi/made.json"
    local file = assert(io.open(path, "w"))
    file:write [[{ "cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [
      { "name": "GPU-932b", "containerEdits": { "env": [ "MADE=GPU-932b" ],
        "deviceNodes": [ { "path": "/dev/made0", "hostPath": "/dev/null" } ] } },
      { "name": "GPU-other", "containerEdits": { "env": [ "OTHER=1" ],
        "deviceNodes": [ { "path": "/dev/made1", "hostPath": "/dev/null" } ] } } ] }]]
    file:close()
    return path
  end

  it("are the devices and edits of the one that was asked for, where the engine can", docker.with(
    function(ex, path)
      if not docker.folder then return pending "EXHOST_DOCKER_ENGINE is not set" end
      local spec = write_spec()
      ex.settings.inventory = gpus.make(path)
      ex.settings.inventory.cdi = { docker.folder .. "/cdi" }
      ex.settings.prefer_cdi = true
      local request = docker.sh("ls /dev/made*; echo $MADE $OTHER", {
        resources = { gpus = { { uuid = "GPU-932b" } } } })
      local result, err, code = ex:run(request)
      os.remove(spec)
      if docker.differences().cdi then
        assert(result, err)
        assert.same({ 0, "/dev/made0\nGPU-932b\n" }, { result.exit_code, result.stdout })
      else
        assert.equal("engine", code)
        assert.matches("cdi", err)
      end
    end))
end)
