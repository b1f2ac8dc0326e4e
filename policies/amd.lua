-- AMD: /dev/kfd, and the nodes of exactly the GPUs that were asked for. The groups that may
-- open them: video, and the host's render by number, since images rarely know its name.
local function device(path)
  return { PathOnHost = path, PathInContainer = path, CgroupPermissions = "rwm" }
end

---@type exhost.Policy
return {
  name = "amd", version = "1", vendor = "AMD/ATI", pci_vendor = 0x1002,
  topology = "/sys/class/kfd/kfd/topology/nodes",
  host_config = function(request, host, config)
    config.Devices = { device("/dev/kfd") }
    for _, gpu in ipairs(request.gpus) do
      if #gpu.nodes == 0 then
        return nil, "GPU " .. gpu.pci_address .. " has no nodes in /dev/dri"
      end
      for _, node in ipairs(gpu.nodes) do config.Devices = { device(node) } end
    end
    config.GroupAdd = { "video" }
    if host.groups and host.groups.render then
      config.GroupAdd = { tostring(host.groups.render) }
    end
  end,
  examples = {
    { request = { gpus = { { pci_address = "0000:01:00.0",
        nodes = { "/dev/dri/card1", "/dev/dri/renderD128" } } } },
      host = { groups = { render = 105 } },
      expect = { GroupAdd = { "video", "105" }, Devices = {
        { PathOnHost = "/dev/kfd", PathInContainer = "/dev/kfd", CgroupPermissions = "rwm" },
        { PathOnHost = "/dev/dri/card1", PathInContainer = "/dev/dri/card1",
          CgroupPermissions = "rwm" },
        { PathOnHost = "/dev/dri/renderD128", PathInContainer = "/dev/dri/renderD128",
          CgroupPermissions = "rwm" } } } },
    { request = { gpus = { { pci_address = "0000:01:00.0", nodes = {} } } }, host = {},
      refused = true },
  },
}
