--- GPUs that a driver has split into partitions: a folder of compute nodes below /sys, each with
--- a file `properties` of lines "name number". Where the folder is, the vendor's policy says.
--
-- More nodes than one on one PCI address are partitions; the render nodes alone do not tell,
-- since a driver may make those of partitions that are not in use.

local dirs = require "exhost.dir"
local fs = require "exhost.fs"

local topology = {}

local LIMB = 65536

local function names_in(path)
  local dir = dirs.open(path)
  local names = dir and dir:list() or {}
  if dir then dir:close() end
  return names
end

--- A whole number of 64 bits, exactly: decimal digits to 16 of hexadecimal.
local function hexadecimal(digits)
  local limbs = { 0, 0, 0, 0 }
  for digit in digits:gmatch("%d") do
    local carry = tonumber(digit)
    for i = 1, 4 do
      local value = limbs[i] * 10 + carry
      limbs[i], carry = value % LIMB, math.floor(value / LIMB)
    end
  end
  return string.format("%04x%04x%04x%04x", limbs[4], limbs[3], limbs[2], limbs[1])
end

local function properties(path)
  local found = {}
  for name, digits in (fs.read(path .. "/properties") or ""):gmatch("([%w_]+) (%d+)") do
    found[name] = digits
  end
  return found
end

--- Bytes of the memory of a node; nil where it is the machine's own.
local function memory(path)
  local total = 0
  for _, bank in ipairs(names_in(path .. "/mem_banks")) do
    total = total + (tonumber(properties(path .. "/mem_banks/" .. bank).size_in_bytes) or 0)
  end
  return total > 0 and total or nil
end

--- Device nodes of the card that has this render node.
local function nodes_of(roots, minor)
  local nodes = {}
  for _, name in ipairs(names_in(roots.sys .. "/class/drm/renderD" .. minor .. "/device/drm")) do
    if name:find("^card%d+$") or name:find("^renderD%d+$") then
      nodes[#nodes + 1] = roots.dev .. "/dri/" .. name
    end
  end
  table.sort(nodes)
  return nodes
end

--- What is known of a compute node; bits 0-15 of location_id are bus, device and function.
local function read_node(roots, path)
  local facts = properties(path)
  local location, minor = tonumber(facts.location_id), tonumber(facts.drm_render_minor)
  if not location or not minor or minor == 0 then return nil end -- a processor
  local id = facts.unique_id
  return { minor = minor, id = id and id:find("[1-9]") and hexadecimal(id) or nil,
    vram = memory(path), nodes = nodes_of(roots, minor),
    address = string.format("%04x:%02x:%02x.%d", tonumber(facts.domain) or 0,
      math.floor(location / 256) % 256, math.floor(location / 8) % 32, location % 8) }
end

--- Partitions by PCI address, in the order of their nodes, where there are several.
local function partitions(roots, folder)
  local by_address = {}
  local path = roots.sys .. folder:gsub("^/sys", "")
  for _, name in ipairs(names_in(path)) do
    local node = read_node(roots, path .. "/" .. name)
    if node then
      local list = by_address[node.address] or {}
      by_address[node.address] = list
      list[#list + 1] = node
    end
  end
  for address, list in pairs(by_address) do
    table.sort(list, function(a, b) return a.minor < b.minor end)
    if #list < 2 then by_address[address] = nil end
  end
  return by_address
end

--- Whether the driver gives each partition an id of its own: older ones repeat the card's.
local function have_own_ids(list)
  local seen = {}
  for _, one in ipairs(list) do
    if not one.id or seen[one.id] then return false end
    seen[one.id] = true
  end
  return true
end

--- Add the partitions of cards to what there is. A card that is split stays, as what stands
--- for all of them: its nodes are all of theirs.
---@param host table of inventory.read
---@param roots exhost.InventoryRoots
---@param folders string[] of the policies
function topology.join(host, roots, folders)
  local found, parts = {}, {}
  for _, folder in ipairs(folders) do
    for address, list in pairs(partitions(roots, folder)) do found[address] = list end
  end
  for _, gpu in ipairs(host.gpus) do
    local list = found[gpu.pci_address] or {}
    local whole, own = gpu.uuid or gpu.pci_address, have_own_ids(list)
    if #list > 0 then gpu.nodes = {} end
    for i, one in ipairs(list) do
      for _, node in ipairs(one.nodes) do table.insert(gpu.nodes, node) end
      parts[#parts + 1] = { uuid = own and one.id or whole .. "." .. i - 1, part_of = whole,
        pci_address = gpu.pci_address, pci_vendor = gpu.pci_vendor, pci_device = gpu.pci_device,
        policy = gpu.policy, vendor = gpu.vendor, model = gpu.model, driver = gpu.driver,
        numa_node = gpu.numa_node, health = gpu.health, vram = one.vram, nodes = one.nodes }
    end
  end
  for _, part in ipairs(parts) do table.insert(host.gpus, part) end
end

return topology
