--- A made tree of what a machine with GPUs tells: /sys, the drivers' /proc, /etc/group, CDI.

local gpus = {}

local function write(path, content)
  os.execute("mkdir -p '" .. path:match("^(.*)/") .. "'")
  local file = assert(io.open(path, "w"))
  file:write(content)
  file:close()
end

--- A mixed host: two NVIDIA, an AMD, an Intel with swapped render numbers, a display-only card.
---@return exhost.InventoryRoots
function gpus.make(root)
  local devices = root .. "/sys/bus/pci/devices/"
  local function card(address, vendor, nodes, driver)
    write(devices .. address .. "/class", "0x030000\n")
    write(devices .. address .. "/vendor", vendor .. "\n")
    write(devices .. address .. "/device", "0x1234\n")
    for _, node in ipairs(nodes) do write(devices .. address .. "/drm/" .. node .. "/dev", "") end
    local own = root .. "/drivers/" .. driver
    os.execute("mkdir -p " .. own .. "; ln -s " .. own .. " " .. devices .. address .. "/driver")
  end
  card("0000:0b:00.0", "0x10de", {}, "nvidia")
  card("0001:0b:00.0", "0x10de", {}, "nvidia")
  card("0000:01:00.0", "0x1002", { "card1", "renderD128" }, "amdgpu")
  card("0000:00:02.0", "0x8086", { "card0", "renderD129" }, "i915")
  card("0000:09:00.0", "0x1a03", { "card2" }, "ast")
  write(devices .. "0001:0b:00.0/aer_dev_fatal", "Undefined 0\nDLP 3\nTOTAL_ERR_FATAL 3\n")
  write(devices .. "0000:0b:00.0/aer_dev_fatal", "Undefined 0\nTOTAL_ERR_FATAL 0\n")
  write(devices .. "0000:05:00.0/class", "0x020000\n")
  write(devices .. "0000:05:00.0/vendor", "0x8086\n")
  local proc = root .. "/proc/driver/nvidia/gpus/"
  write(proc .. "0000:0b:00.0/information", "Model: \t\t NVIDIA A100\nGPU UUID: \t GPU-932b\n")
  write(proc .. "0001:0b:00.0/information", "Model: \t\t NVIDIA T4\nGPU UUID: \t GPU-other\n")
  write(root .. "/etc/group", "root:x:0:\nvideo:x:44:\nrender:x:105:\n")
  write(root .. "/cdi/n.yaml", 'cdiVersion: 0.5.0\ndevices:\n- containerEdits:\n    env:\n'
    .. '    - A=name: x\n  name: GPU-932b\n- name: "MIG-aaaa-bb"\nkind: nvidia.com/gpu\n')
  write(root .. "/cdi/v.json", '{"kind":"vendor.com/class","devices":[{"name":"x"}]}')
  write(root .. "/cdi/broken.json", "{")
  return { sys = root .. "/sys", proc = root, dev = "/dev", etc = root .. "/etc",
    cdi = { root .. "/cdi", root .. "/nowhere" } }
end

return gpus
