-- NVIDIA: exactly the GPUs that were asked for, by UUID. Through CDI where the engine lists
-- the device and the site prefers it (host.prefer_cdi), else by the NVIDIA runtime.
local function uuids(gpus)
  local list = {}
  for i, gpu in ipairs(gpus) do list[i] = gpu.uuid end
  return list
end

local function cdi_names(gpus)
  local list = {}
  for i, gpu in ipairs(gpus) do
    if not gpu.cdi then return nil end
    list[i] = gpu.cdi
  end
  return list
end

---@type exhost.Policy
return {
  name = "nvidia", version = "1", vendor = "NVIDIA", pci_vendor = 0x10de,
  proc = "/proc/driver/nvidia/gpus", node = "/dev/nvidia",
  host_config = function(request, host, config)
    for _, gpu in ipairs(request.gpus) do
      if not gpu.uuid then
        return nil, "the driver does not tell the UUID of GPU " .. gpu.pci_address
      end
    end
    local names = host.prefer_cdi and cdi_names(request.gpus)
    if names then
      config.DeviceRequests = { { Driver = "cdi", DeviceIDs = names } }
    else
      config.DeviceRequests = { { DeviceIDs = uuids(request.gpus), Capabilities = { { "gpu" } } } }
    end
  end,
  examples = {
    { request = { gpus = { { uuid = "GPU-1", pci_address = "0000:01:00.0" },
        { uuid = "MIG-2", pci_address = "0000:02:00.0" } } }, host = {},
      expect = { DeviceRequests = { { DeviceIDs = { "GPU-1", "MIG-2" },
        Capabilities = { { "gpu" } } } } } },
    { request = { gpus = { { uuid = "GPU-1", cdi = "nvidia.com/gpu=0" } } },
      host = { prefer_cdi = true },
      expect = { DeviceRequests = { { Driver = "cdi", DeviceIDs = { "nvidia.com/gpu=0" } } } } },
    { request = { gpus = { { pci_address = "0000:01:00.0" } } }, host = {}, refused = true },
  },
}
