--- The GPUs of this machine, from what the kernel, the drivers and CDI tell. Names no vendor:
--- which PCI vendor is whose, and where its driver keeps its files, policies say.

local cdi = require "exhost.inventory.cdi"
local dirs = require "exhost.dir"
local fs = require "exhost.fs"
local system = require "exhost.system"
local text = require "exhost.text"
local topology = require "exhost.inventory.topology"

local inventory = {}

-- <linux/pci_ids.h>: the base class of display controllers.
local DISPLAY_CLASS = "^0x03"

--- Where things are; specs build trees elsewhere.
---@class exhost.InventoryRoots
---@field sys string
---@field proc string prefix of the driver's files
---@field dev string
---@field etc string
---@field cdi string[]
inventory.ROOTS = { sys = "/sys", proc = "", dev = "/dev", etc = "/etc",
  cdi = { "/etc/cdi", "/var/run/cdi" } }

--- All roots, where the settings name some.
---@param given table? of the settings
---@return exhost.InventoryRoots
function inventory.roots(given)
  local roots = {}
  for name, usual in pairs(inventory.ROOTS) do roots[name] = given and given[name] or usual end
  return roots
end

local function names_in(path)
  local dir = dirs.open(path)
  local names = dir and dir:list() or {}
  if dir then dir:close() end
  table.sort(names)
  return names
end

--- Lines "Key: value" of a driver's file, keys in lower case.
local function facts(path)
  local found = {}
  for line in (fs.read(path) or ""):gmatch("[^\n]+") do
    local key, value = line:match("^([^:]+):%s*(.-)%s*$")
    if key then found[key:lower()] = value end
  end
  return found
end

--- Device nodes of a card, those of its own functions only.
local function nodes_of(roots, path)
  local nodes = {}
  for _, name in ipairs(names_in(path .. "/drm")) do
    if name:find("^card%d+$") or name:find("^renderD%d+$") then
      nodes[#nodes + 1] = roots.dev .. "/dri/" .. name
    end
  end
  return nodes
end

--- What the kernel holds against a card: no driver, or errors of its PCIe link that could not be
--- mended since the boot (Documentation/ABI/testing/sysfs-bus-pci-devices-aer_stats).
local function health(path, driver)
  if not driver then return "no driver" end
  local fatal = tonumber((fs.read(path .. "/aer_dev_fatal") or ""):match("TOTAL_ERR_FATAL (%d+)"))
  if fatal and fatal > 0 then return string.format("%d fatal PCIe errors", fatal) end
  return "ok"
end

local function card(roots, address, by_vendor, by_node)
  local path = roots.sys .. "/bus/pci/devices/" .. address
  local class, vendor = fs.line(path .. "/class"), tonumber(fs.line(path .. "/vendor") or "")
  if not class or not class:find(DISPLAY_CLASS) or not vendor then return nil end
  local owner = by_vendor[vendor]
  local gpu = { pci_address = address:lower(), pci_vendor = vendor,
    pci_device = tonumber(fs.line(path .. "/device") or ""), policy = owner and owner.name,
    vendor = owner and owner.about.vendor, nodes = nodes_of(roots, path),
    numa_node = tonumber(fs.line(path .. "/numa_node") or ""),
    vram = tonumber(fs.line(path .. "/mem_info_vram_total") or ""),
    model = fs.line(path .. "/product_name"), uuid = fs.line(path .. "/unique_id") }
  local driver = system.real_path(path .. "/driver")
  gpu.driver = driver and driver:match("[^/]+$")
  if owner and owner.about.proc then
    local own = facts(roots.proc .. owner.about.proc .. "/" .. address:lower() .. "/information")
    gpu.uuid, gpu.model = own["gpu uuid"] or gpu.uuid, own.model or gpu.model
    local minor = own["device minor"]
    if owner.about.node and minor then by_node[owner.about.node .. minor] = gpu end
  end
  gpu.health = health(path, gpu.driver)
  return gpu
end

local function groups(roots)
  local found = {}
  for line in (fs.read(roots.etc .. "/group") or ""):gmatch("[^\n]+") do
    local name, gid = line:match("^([^:]+):[^:]*:(%d+):")
    if name == "render" or name == "video" then found[name] = tonumber(gid) end
  end
  return found
end

--- Tell cards of their parts.
local function list_parts(gpus)
  for _, gpu in ipairs(gpus) do
    for _, part in ipairs(gpus) do
      if part.part_of and not gpu.part_of and part.part_of == (gpu.uuid or gpu.pci_address) then
        gpu.parts = gpu.parts or {}
        table.insert(gpu.parts, part.uuid)
      end
    end
  end
end

--- Read the machine.
---@param policies { name: string, about: table? }[] as Policies:list() gives them
---@param roots table? those of the settings; the usual ones in place of what is missing
---@return { gpus: table[], groups: table<string, integer>, cdi: string[] } host
function inventory.read(policies, roots)
  roots = inventory.roots(roots)
  local by_vendor, folders = {}, {}
  for _, one in ipairs(policies) do
    if one.about and one.about.pci_vendor then by_vendor[one.about.pci_vendor] = one end
    folders[#folders + 1] = one.about and one.about.topology
  end
  local names, nodes = cdi.read(roots.cdi)
  local host, by_node = { gpus = {}, groups = groups(roots), cdi = names }, {}
  for _, address in ipairs(names_in(roots.sys .. "/bus/pci/devices")) do
    host.gpus[#host.gpus + 1] = card(roots, address, by_vendor, by_node)
  end
  topology.join(host, roots, folders)
  cdi.join(host, nodes, by_node)
  list_parts(host.gpus)
  return host
end

local function matches(gpu, asked)
  if asked.uuid then return gpu.uuid ~= nil and gpu.uuid:lower() == asked.uuid:lower() end
  return gpu.pci_address == asked.pci_address and not gpu.part_of
end

local function describe(list)
  local words = {}
  for i, gpu in ipairs(list) do words[i] = gpu.uuid or gpu.pci_address end
  return table.concat(words, ", ")
end

--- The GPUs that a request means.
---@param asked table[] of the request: uuid, pci_address
---@return table[]? gpus, string? err, string? code
function inventory.resolve(host, asked)
  local found = {}
  for i, wanted in ipairs(asked) do
    local path = string.format("resources.gpus[%d]", i)
    if not wanted.uuid and not wanted.pci_address then
      return nil, path .. ": a GPU is known by uuid or pci_address", "invalid"
    end
    local list = {}
    for _, gpu in ipairs(host.gpus) do
      if matches(gpu, wanted) then list[#list + 1] = gpu end
    end
    local what = text.quote(wanted.uuid or wanted.pci_address)
    if #list == 0 then
      return nil, string.format("%s: there is no GPU %s (have: %s)", path, what,
        #host.gpus > 0 and describe(host.gpus) or "none"), "invalid"
    end
    local parts = not wanted.uuid and list[1].parts
    if #list > 1 or parts then
      return nil, string.format("%s: %s stands for several: name one by its uuid: %s", path, what,
        parts and table.concat(parts, ", ") or describe(list)), "invalid"
    end
    if not list[1].policy then
      return nil, string.format("%s: no policy serves PCI vendor 0x%04x", path,
        list[1].pci_vendor), "unsupported"
    end
    found[i] = list[1]
  end
  return found
end

return inventory
