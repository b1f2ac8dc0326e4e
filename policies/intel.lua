-- Intel: the nodes in /dev/dri of exactly the GPUs that were asked for.
local function device(path)
  return { PathOnHost = path, PathInContainer = path, CgroupPermissions = "rwm" }
end

---@type exhost.Policy
return {
  name = "intel", version = "1", vendor = "Intel", pci_vendor = 0x8086,
  host_config = function(request, host, config)
    for _, gpu in ipairs(request.gpus) do
      if #gpu.nodes == 0 then
        return nil, "GPU " .. gpu.pci_address .. " has no nodes in /dev/dri"
      end
      for _, node in ipairs(gpu.nodes) do config.Devices = { device(node) } end
    end
    if host.groups and host.groups.render then
      config.GroupAdd = { tostring(host.groups.render) }
    end
  end,
  examples = {
    { request = { gpus = { { pci_address = "0000:00:02.0",
        nodes = { "/dev/dri/card0", "/dev/dri/renderD129" } } } },
      host = { groups = { render = 105 } },
      expect = { GroupAdd = { "105" }, Devices = {
        { PathOnHost = "/dev/dri/card0", PathInContainer = "/dev/dri/card0",
          CgroupPermissions = "rwm" },
        { PathOnHost = "/dev/dri/renderD129", PathInContainer = "/dev/dri/renderD129",
          CgroupPermissions = "rwm" } } } },
  },
}
