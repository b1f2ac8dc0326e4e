--- The inventory and what policies make of it, on made trees.

local cdi = require "exhost.inventory.cdi"
local cli = require "support.cli"
local gpus = require "support.gpus"
local inventory = require "exhost.inventory"
local ledger = require "exhost.ledger"
local policy = require "exhost.policy"
local scratch = require "support.scratch"
local state = require "exhost.state"

local function with(body)
  return scratch.with(function(_, path)
    local policies = policy.new({ policy_soft = 0.05, policy_hard = 0.4 })
    local host = inventory.read(policies:list(), gpus.make(path))
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, host, policies, path)
    policies:close()
    if not ok then error(err, 0) end
  end)
end

local function names(list)
  local found = {}
  for i, device in ipairs(list) do found[i] = device.PathOnHost end
  return found
end

describe("the inventory", function()
  it("tells what the kernel, the driver and CDI tell", with(function(host)
    local by = {}
    for _, gpu in ipairs(host.gpus) do by[gpu.uuid or gpu.pci_address] = gpu end
    assert.same({ "nvidia", "NVIDIA A100", "nvidia", "nvidia.com/gpu=GPU-932b" }, {
      by["GPU-932b"].policy, by["GPU-932b"].model, by["GPU-932b"].driver, by["GPU-932b"].cdi })
    assert.same({ "/dev/dri/card1", "/dev/dri/renderD128" }, by["0000:01:00.0"].nodes)
    assert.same({ "/dev/dri/card0", "/dev/dri/renderD129" }, by["0000:00:02.0"].nodes)
    assert.is_nil(by["0000:09:00.0"].policy)
    assert.same({ "ok", "3 fatal PCIe errors" }, { by["GPU-932b"].health, by["GPU-other"].health })
    assert.is_nil(by["0000:05:00.0"])
    assert.same({ "nvidia.com/gpu=MIG-aaaa-bb", "GPU-other", "0001:0b:00.0" }, {
      by["MIG-aaaa-bb"].cdi, by["MIG-aaaa-bb"].part_of, by["MIG-aaaa-bb"].pci_address })
    assert.same({ "MIG-aaaa-bb" }, by["GPU-other"].parts)
    assert.same({ "NVIDIA T4", "nvidia", "3 fatal PCIe errors" },
      { by["MIG-aaaa-bb"].model, by["MIG-aaaa-bb"].driver, by["MIG-aaaa-bb"].health })
    assert.same({ render = 105, video = 44 }, host.groups)
    assert.same({ "nvidia.com/gpu=GPU-932b", "nvidia.com/gpu=MIG-aaaa-bb", "vendor.com/class=x" },
      host.cdi)
  end))

  it("knows the partitions of a split card by uuid, and its address for all of them", with(
    function(host)
      local by = {}
      for _, gpu in ipairs(host.gpus) do by[gpu.uuid or gpu.pci_address] = gpu end
      local parts = { "a5b43667c73cac87", "ffffffffffffffff", "0020000000000001" }
      local whole = by["f1e2d3c4b5a69788"]
      assert.same({ parts, 6 }, { whole.parts, #whole.nodes })
      for i, uuid in ipairs(parts) do
        assert.same({ "amd", "0000:c1:00.0", 24 * 1024 ^ 3, whole.uuid,
          { "/dev/dri/card" .. 9 + i, "/dev/dri/renderD" .. 139 + i } },
          { by[uuid].policy, by[uuid].pci_address, by[uuid].vram, by[uuid].part_of,
            by[uuid].nodes })
        assert.equal(by[uuid], assert(inventory.resolve(host, { { uuid = uuid:upper() } }))[1])
      end
      -- An older driver repeats the card's id.
      assert.same({ "6cdaa32a8b35e2c0.0", "6cdaa32a8b35e2c0.1" }, by["6cdaa32a8b35e2c0"].parts)
      assert.same({ "/dev/dri/card21", "/dev/dri/renderD151" }, by["6cdaa32a8b35e2c0.1"].nodes)
      assert.is_nil(by["0000:01:00.0"].parts)
      for address, listed in pairs { ["0000:c1:00.0"] = table.concat(parts, ", "),
        ["0001:c1:00.0"] = "6cdaa32a8b35e2c0.0, 6cdaa32a8b35e2c0.1" } do
        local found, err, code = inventory.resolve(host, { { pci_address = address } })
        assert.same({ nil, "invalid" }, { found, code })
        assert.equal('resources.gpus[1]: "' .. address
          .. '" stands for several: name one by its uuid: ' .. listed, err)
      end
      assert.equal(whole, assert(inventory.resolve(host, { { uuid = whole.uuid } }))[1])
    end))

  it("resolves what a request means, or says what there is", with(function(host)
    for _, asked in ipairs { { pci_address = "0000:0b:00.0" }, { uuid = "gpu-932B" } } do
      assert.equal("GPU-932b", assert(inventory.resolve(host, { asked }))[1].uuid)
    end
    for _, case in ipairs { { { pci_address = "0000:77:00.0" }, "invalid", "0000:77:00.0" },
      { { uuid = "GPU-none" }, "invalid", "have: " }, { {}, "invalid", "uuid or pci_address" },
      { { pci_address = "0000:09:00.0" }, "unsupported", "0x1a03" } } do
      local found, err, code = inventory.resolve(host, { case[1] })
      assert.same({ nil, case[2] }, { found, code })
      assert.is_truthy(err:find(case[3], 1, true), err)
      assert.matches("^resources.gpus%[1%]: ", err)
    end
  end))
end)

describe("exhost gpus", function()
  it("lists GPUs, the groups of their nodes and the names of CDI", cli.with(function(x)
    local roots = gpus.make(x.path .. "/machine")
    x.dir:write("c.lua", string.format("return { inventory = { sys = %q, proc = %q, dev = %q, "
      .. "etc = %q, cdi = { %q } } }", roots.sys, roots.proc, roots.dev, roots.etc, roots.cdi[1]))
    local ran = x:run { "--config", x.path .. "/c.lua", "gpus" }
    assert.same({ 0, "" }, { ran.code, ran.err })
    assert.matches("\nGPU%-other +0001:0b:00.0 +NVIDIA +NVIDIA T4 .* 3 fatal PCIe errors +%-\n",
      ran.out)
    assert.matches("\ngroup render: 105\ngroup video: 44\ncdi: nvidia.com/gpu=GPU%-932b, ", ran.out)
    local told = x:json { "--config", x.path .. "/c.lua", "gpus" }
    assert.same({ 13, { render = 105, video = 44 }, 3 }, { #told.gpus, told.groups, #told.cdi })
  end))
end)

describe("the names of CDI", function()
  it("are read from JSON too, with what is not as it should be left out", scratch.with(
    function(dir, path)
      local ok = '{"kind":"v.com/c","devices":[3,{"name":"a","containerEdits":{"deviceNodes":'
        .. '[{"path":"/dev/a"},7,{"path":8}]}},{"name":["b"]},{"name":"c","containerEdits":4}]}'
      for i, text in ipairs { ok, "{}", "[]", '{"kind":1,"devices":[{"name":"x"}]}',
        '{"kind":"v.com/c","devices":"x"}', "{" } do
        assert(dir:write(i .. ".json", text))
      end
      assert.same({ { "v.com/c=a", "v.com/c=c" }, { ["v.com/c=a"] = { "/dev/a" },
        ["v.com/c=c"] = {} } }, { cdi.read { path, path .. "/nowhere" } })
    end))
end)

describe("the shipped policies", function()
  local function decide(host, policies, asked)
    return assert(policies:decide({}, assert(inventory.resolve(host, asked)), host))
  end

  it("give exactly the GPUs that were asked for", with(function(host, policies)
    local config = decide(host, policies, { { pci_address = "0000:0b:00.0" } }).config
    assert.same({ { DeviceIDs = { "GPU-932b" }, Capabilities = { { "gpu" } } } },
      config.DeviceRequests.value)
    config = decide(host, policies, { { pci_address = "0000:01:00.0" } }).config
    assert.same({ "/dev/kfd", "/dev/dri/card1", "/dev/dri/renderD128" },
      names(config.Devices.value))
    assert.same({ "video", "105" }, config.GroupAdd.value)
    config = decide(host, policies, { { pci_address = "0000:00:02.0" } }).config
    assert.same({ "/dev/dri/card0", "/dev/dri/renderD129" }, names(config.Devices.value))
  end))

  it("give several vendors' at once, and say which line gave what", with(function(host, policies)
    local decision = decide(host, policies, { { pci_address = "0000:01:00.0" },
      { uuid = "MIG-aaaa-bb" }, { pci_address = "0000:00:02.0" } })
    assert.same({ "MIG-aaaa-bb" }, decision.config.DeviceRequests.value[1].DeviceIDs)
    assert.equal(5, #decision.config.Devices.value)
    assert.matches("^amd.lua:%d+$", decision.config.Devices.from[1])
    assert.same({ "amd", "nvidia", "intel" }, { decision.policies[1].name,
      decision.policies[2].name, decision.policies[3].name })
  end))

  it("use CDI where the site prefers it and all are listed", with(function(host, policies)
    host.prefer_cdi = true
    local config = decide(host, policies, { { uuid = "GPU-932b" } }).config
    assert.same({ { Driver = "cdi", DeviceIDs = { "nvidia.com/gpu=GPU-932b" } } },
      config.DeviceRequests.value)
    config = decide(host, policies, { { uuid = "GPU-other" } }).config
    assert.same({ "GPU-other" }, config.DeviceRequests.value[1].DeviceIDs)
  end))

  it("give none to a job that asks for none, whatever its image says", with(
    function(host, policies)
      local decision = assert(policies:decide({}, {}, host))
      assert.equal("void", decision.env.NVIDIA_VISIBLE_DEVICES.value)
      assert.same({}, decision.config)
    end))
end)

describe("the ledger", function()
  it("grants no part of what is held as a whole, nor the other way", with(function(host, _, path)
    local store = assert(state.open(path .. "/state", "root"))
    local by = {}
    for _, gpu in ipairs(host.gpus) do by[gpu.uuid or gpu.pci_address] = gpu end
    local whole, one, two = by["f1e2d3c4b5a69788"], by["ffffffffffffffff"], by["0020000000000001"]
    for _, id in ipairs { "e1", "e2" } do
      local dir, lock = assert(store:create(id, {}))
      lock:close()
      dir:close()
    end
    assert.is_true(ledger.claim(store, { one }, "e1"))
    assert.is_true(ledger.claim(store, { two }, "e2"))
    local _, err, code = ledger.claim(store, { whole }, "e2")
    assert.same({ "unavailable", "GPU f1e2d3c4b5a69788 is held by root/e1 (ffffffffffffffff)" },
      { code, err })
    ledger.free(store, "e1")
    assert.is_true(ledger.claim(store, { whole }, "e2"))
    _, err = ledger.claim(store, { one }, "e1")
    assert.equal("GPU ffffffffffffffff is held by root/e2 (f1e2d3c4b5a69788)", err)
    store:close()
  end))

  it("grants to one, all or nothing, until it has ended", with(function(host, _, path)
    local store = assert(state.open(path .. "/state", "root"))
    local two = { host.gpus[1], host.gpus[2] }
    for _, id in ipairs { "e1", "e2" } do
      local dir, lock = assert(store:create(id, {}))
      lock:close()
      dir:close()
    end
    assert.is_true(ledger.claim(store, { host.gpus[2] }, "e1"))
    assert.is_true(ledger.claim(store, { host.gpus[2] }, "e1"))
    local _, err, code = ledger.claim(store, two, "e2")
    assert.equal("unavailable", code)
    assert.matches("is held by root/e1", err)
    assert.is_true(ledger.claim(store, { host.gpus[1] }, "e2"))
    local held = ledger.holders(store)
    assert.equal("root/e1", held[ledger.file_name(host.gpus[2])])
    ledger.free(store, "e1")
    assert.is_true(ledger.claim(store, two, "e2"))
    local dir = store:open_execution("e2")
    dir:create("result.json", "{}")
    dir:close()
    assert.is_true(ledger.claim(store, two, "e1"))
    store:close()
  end))
end)
