local json = require "exhost.json"
local machine = require "backends.firecracker.machine"
local request = require "exhost.request"
local params = require "backends.firecracker.params"

local FACTS = { binary = "/bin/firecracker", version = "1.16.1", memory = 8 * 2 ^ 30 }

local function plan(fields, own, found)
  local raw = { job_id = "job-1", execution_id = "job-1", engine_spec = { type = "firecracker",
    params = own or { kernel_image = "/k", root_file_system = "/r", cmd = { "true" } } } }
  for key, value in pairs(fields or {}) do raw[key] = value end
  local asked = assert(request.normalise(raw, { params = { firecracker = params } }))
  local facts = { volumes = found }
  for key, value in pairs(FACTS) do facts[key] = value end
  return machine.plan(asked, facts, { output_size = 2 ^ 30 })
end

local function size(ram, cores)
  local body, err = plan { resources = { ram = { size = ram }, cpu = { cores = cores } } }
  if not body then return nil, err end
  local got = body.config["machine-config"]
  return { got.mem_size_mib, got.vcpu_count }
end

describe("the plan of a microVM", function()
  it("is the configuration that the binary reads, and the same each time", function()
    local body = assert(plan())
    assert.equal(json.encode(body), json.encode(assert(plan())))
    assert.equal('{"boot-source":{"boot_args":"console=ttyS0 reboot=k panic=1 pci=off quiet '
      .. 'rdinit=/exhost/init exhost.report=vsock:1024 exhost.root=/dev/vda",'
      .. '"initrd_path":"initrd","kernel_image_path":"/k"},'
      .. '"drives":[{"drive_id":"root","is_read_only":false,"is_root_device":false,'
      .. '"path_on_host":"/r"}],'
      .. '"machine-config":{"mem_size_mib":256,"smt":false,"vcpu_count":1},'
      .. '"vsock":{"guest_cid":3,"uds_path":"v.sock"}}', json.encode(body.config))
  end)

  it("boots the image itself without a command, and says what that costs", function()
    local body = assert(plan({}, { kernel_image = "/k", root_file_system = "/r", initrd = "/i",
      root_read_only = true, kernel_args = "a=b" }))
    assert.equal("console=ttyS0 reboot=k panic=1 pci=off quiet a=b",
      body.config["boot-source"].boot_args)
    assert.equal("/i", body.config["boot-source"].initrd_path)
    assert.same({ true, true }, { body.config.drives[1].is_root_device,
      body.config.drives[1].is_read_only })
    assert.is_nil(body.config.vsock)
    assert.matches("exit_code", body.warnings[1])
  end)

  it("says that a name server from outside is not the guest's", function()
    assert.matches("^gateway_ip: not used", assert(plan { gateway_ip = "10.0.0.1" }).warnings[1])
  end)

  it("rounds bytes up to MiB, and cores up to whole ones", function()
    local mib = 1024 * 1024
    assert.same({ 64, 1 }, size(64 * mib, 0.25))
    assert.same({ 65, 2 }, size(64 * mib + 1, 1.5))
    assert.same({ 256, 1 }, size(0, 0))
    assert.same({ 1024, 32 }, size(2 ^ 30, 31.01))
  end)

  it("refuses a machine that cannot be", function()
    local _, err = size(0, 33)
    assert.equal("resources.cpu.cores: a microVM has at most 32, got 33", err)
    _, err = size(2 ^ 40)
    assert.matches("resources.ram.size: 1099511627776 bytes are more than this host's", err)
  end)

  for field, value in pairs {
    keys = { { type = "ssh", file = "k" } }, ports_to_bind = { { executor_port = 80 } },
  } do
    it("refuses " .. field .. ", never ignores them", function()
      local body, err, code = plan { [field] = value }
      assert.same({ nil, "unsupported" }, { body, code })
      assert.matches("^" .. field .. ": ", err)
    end)
  end

  it("gives volumes drives after the disk, in the order of their targets", function()
    local fields = { results_dir = "/res/", inputs = { { source = "/src", target = "/z/" } },
      outputs = { { source = "/res/out", target = "/a" } }, resources = { disk = { size = 1 } } }
    local found = { ["inputs[1]"] = { source = "/real/src" }, ["outputs[1]"] = true }
    local body = assert(plan(fields, nil, found))
    assert.equal('[{"drive_id":"root","is_read_only":false,"is_root_device":false,'
      .. '"path_on_host":"/r"},{"drive_id":"vdb","is_read_only":false,"is_root_device":false,'
      .. '"path_on_host":"vdb.ext4"},{"drive_id":"vdc","is_read_only":true,'
      .. '"is_root_device":false,"path_on_host":"vdc.ext4"}]', json.encode(body.config.drives))
    assert.same({ { "output", "/a", "out", 4194304 }, { "input", "/z", "/real/src" } },
      { { body.volumes[1].kind, body.volumes[1].target, body.volumes[1].name,
        body.volumes[1].size }, { body.volumes[2].kind, body.volumes[2].target,
        body.volumes[2].source } })
    body = assert(plan(fields, { kernel_image = "/k", initrd = "/i", cmd = { "true" } }, found))
    assert.equal("vda", body.config.drives[1].drive_id)
    for _, source in ipairs { "/elsewhere", "a/b", "..", "stdout.log", "/res", "-x", "a b" } do
      fields.outputs[1].source = source
      local _, err, code = plan(fields, nil, found)
      assert.equal("invalid", code)
      assert.matches("^outputs%[1%].source: expected a name", err)
    end
  end)

  it("tells the monitor of its metadata service, and not what is in it", function()
    local own = { kernel_image = "/k", initrd = "/i", cmd = { "true" }, mmds_message = "hunter-two",
      network = { address = "172.30.5.2/30", gateway = "172.30.5.1" } }
    local body = assert(plan({}, own))
    assert.equal('{"network_interfaces":["eth0"]}', json.encode(body.config["mmds-config"]))
    assert.is_nil(json.encode(body):find("hunter-two", 1, true))
    own.mmds_version = "V2"
    assert.equal("V2", plan({}, own).config["mmds-config"].version)
    own.mmds_message, own.mmds_version = nil, nil
    assert.is_nil(plan({}, own).config["mmds-config"])
  end)

  it("refuses GPUs, and scripts without a command", function()
    local _, err, code = plan { resources = { gpus = { { uuid = "GPU-1" } } } }
    assert.same({ "resources.gpus: GPUs are not supported by the firecracker executor",
      "unsupported" }, { err, code })
    _, err, code = plan({ provision_scripts = { a = "ZWNobwo=" } },
      { kernel_image = "/k", initrd = "/i" })
    assert.equal("invalid", code)
    assert.matches("^provision_scripts: ", err)
  end)

  it("has the scripts in the order of their names", function()
    local body = plan { provision_scripts = { b = "ZWNobwo=", a = "ZWNobwo=", C = "ZWNobwo=" } }
    assert.same({ "C", "a", "b" }, body.scripts)
  end)

  it("gives every id a name that the binary takes, and no two the same", function()
    local ids = { "a_b", "a.b", "a-b", ("x"):rep(64), ("x"):rep(65), ("x"):rep(66), "x--1",
      ("y"):rep(127) .. "1", ("y"):rep(127) .. "2", "A", "a" }
    local seen = {}
    for _, id in ipairs(ids) do
      local name = machine.short_name(id)
      assert.matches("^[A-Za-z0-9-]+$", name)
      assert.is_true(#name <= 64, name)
      assert.is_nil(seen[name], name)
      seen[name] = id
    end
    assert.equal("a-b", machine.short_name "a-b")
    assert.equal(machine.short_name "a_b", machine.short_name "a_b")
  end)
end)
