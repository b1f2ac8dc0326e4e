--- A made tree of what a machine with GPUs tells: /sys, the drivers' /proc, /etc/group, CDI.

local write = require "support.write"

local gpus = {}

local function put(path, content)
  os.execute("mkdir -p '" .. path:match("^(.*)/") .. "'")
  write(path, content)
end

--- A card in partitions, as its driver shows it: each with a node of compute and one of display,
--- the first on the PCI function itself, the others on platform devices.
---@param ids string[] unique_id of each compute node
local function split(root, address, card, render, ids)
  local sys, domain, bus = root .. "/sys", address:match("^(%x+):(%x+)")
  for i, id in ipairs(ids) do
    local drm = sys .. "/bus/pci/devices/" .. address
    if i > 1 then drm = string.format("%s/devices/platform/amdgpu_xcp.%d", sys, card + i) end
    local name = "renderD" .. render + i - 1
    for _, node in ipairs { "card" .. card + i - 1, name } do
      put(drm .. "/drm/" .. node .. "/dev", "")
    end
    put(drm .. "/drm/" .. name .. "/uevent", "")
    os.execute(string.format("mkdir -p %s/class/drm; ln -s %s/drm/%s %s/class/drm; ln -s %s %s",
      sys, drm, name, sys, drm, drm .. "/drm/" .. name .. "/device"))
    local node = sys .. "/class/kfd/kfd/topology/nodes/" .. render + i
    put(node .. "/properties", string.format("cpu_cores_count 0\nsimd_count 152\n"
      .. "vendor_id 4098\nlocation_id %.0f\ndomain %d\ndrm_render_minor %d\nunique_id %s\n",
      tonumber(bus, 16) * 256 + (i - 1) * 2 ^ 28, tonumber(domain, 16), render + i - 1, id))
    put(node .. "/mem_banks/0/properties", "heap_type 1\nsize_in_bytes 25769803776\n")
  end
end

--- A mixed host: two NVIDIA, one with a MIG part; three AMD, one whole, one split by a new driver,
--- one by an older; an Intel with swapped render numbers, a display-only card.
---@return exhost.InventoryRoots
function gpus.make(root)
  local devices = root .. "/sys/bus/pci/devices/"
  local function card(address, vendor, nodes, driver)
    put(devices .. address .. "/class", "0x030000\n")
    put(devices .. address .. "/vendor", vendor .. "\n")
    put(devices .. address .. "/device", "0x1234\n")
    for _, node in ipairs(nodes) do put(devices .. address .. "/drm/" .. node .. "/dev", "") end
    local own = root .. "/drivers/" .. driver
    os.execute("mkdir -p " .. own .. "; ln -s " .. own .. " " .. devices .. address .. "/driver")
  end
  card("0000:0b:00.0", "0x10de", {}, "nvidia")
  card("0001:0b:00.0", "0x10de", {}, "nvidia")
  card("0000:01:00.0", "0x1002", { "card1", "renderD128" }, "amdgpu")
  card("0000:c1:00.0", "0x1002", {}, "amdgpu")
  card("0001:c1:00.0", "0x1002", {}, "amdgpu")
  put(devices .. "0000:c1:00.0/unique_id", "f1e2d3c4b5a69788\n")
  put(devices .. "0001:c1:00.0/unique_id", "6cdaa32a8b35e2c0\n")
  put(root .. "/sys/class/kfd/kfd/topology/nodes/0/properties", "cpu_cores_count 48\n"
    .. "simd_count 0\nlocation_id 0\ndrm_render_minor 0\n")
  split(root, "0000:c1:00.0", 10, 140, { "11940228331418201223", "18446744073709551615",
    "9007199254740993" })
  split(root, "0001:c1:00.0", 20, 150, { "7843934696581995200", "7843934696581995200" })
  split(root, "0000:01:00.0", 1, 128, { "1" })
  -- Made for partitions that are not in use.
  put(root .. "/sys/devices/platform/amdgpu_xcp.9/drm/renderD129/dev", "")
  card("0000:00:02.0", "0x8086", { "card0", "renderD129" }, "i915")
  card("0000:09:00.0", "0x1a03", { "card2" }, "ast")
  put(devices .. "0001:0b:00.0/aer_dev_fatal", "Undefined 0\nDLP 3\nTOTAL_ERR_FATAL 3\n")
  put(devices .. "0000:0b:00.0/aer_dev_fatal", "Undefined 0\nTOTAL_ERR_FATAL 0\n")
  put(devices .. "0000:05:00.0/class", "0x020000\n")
  put(devices .. "0000:05:00.0/vendor", "0x8086\n")
  local proc = root .. "/proc/driver/nvidia/gpus/"
  put(proc .. "0000:0b:00.0/information", "Model: \t\t NVIDIA A100\nGPU UUID: \t GPU-932b\n"
    .. "Device Minor: \t 1\n")
  put(proc .. "0001:0b:00.0/information", "Model: \t\t NVIDIA T4\nGPU UUID: \t GPU-other\n"
    .. "Device Minor: \t 0\n")
  put(root .. "/etc/group", "root:x:0:\nvideo:x:44:\nrender:x:105:\n")
  put(root .. "/cdi/n.yaml", 'cdiVersion: 0.5.0\ndevices:\n- containerEdits:\n    env:\n'
    .. '    - A=name: x\n  name: GPU-932b\n- containerEdits:\n'
    .. '    deviceNodes:\n    - path: /dev/nvidia0\n    - path: /dev/nvidia-caps/nvidia-cap12\n'
    .. '    hooks:\n    - path: /usr/bin/nvidia-ctk\n  name: "MIG-aaaa-bb"\nkind: nvidia.com/gpu\n')
  put(root .. "/cdi/v.json", '{"kind":"vendor.com/class","devices":[{"name":"x"}]}')
  put(root .. "/cdi/broken.json", "{")
  return { sys = root .. "/sys", proc = root, dev = "/dev", etc = root .. "/etc",
    cdi = { root .. "/cdi", root .. "/nowhere" } }
end

return gpus
