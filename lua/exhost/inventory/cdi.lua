--- Names of devices in CDI specs (Container Device Interface): "vendor.com/class=name".

local dirs = require "exhost.dir"
local json = require "exhost.json"

local cdi = {}

local MOST_SPEC = 4 * 1024 * 1024

---@alias exhost.CdiDevice { name: string, nodes: string[] }

local function member(value, key, kind)
  local found = type(value) == "table" and value[key]
  return type(found) == kind and found or nil
end

---@return string? kind, exhost.CdiDevice[]? devices
local function from_json(content)
  local spec = json.decode(content)
  local devices = {}
  for _, device in ipairs(member(spec, "devices", "table") or {}) do
    local edits, nodes = member(device, "containerEdits", "table"), {}
    for _, node in ipairs(member(edits, "deviceNodes", "table") or {}) do
      nodes[#nodes + 1] = member(node, "path", "string")
    end
    devices[#devices + 1] = { name = member(device, "name", "string"), nodes = nodes }
  end
  return member(spec, "kind", "string"), devices
end

--- Of YAML only what the generators of such specs write is read: `kind:` at the margin, and of the
--- items of `devices:` their `name:` and each `path:` of a device.
---@return string? kind, exhost.CdiDevice[]? devices
local function from_yaml(content)
  local kind, devices, inside, margin = nil, {}, false, nil
  for line in content:gmatch("[^\n]+") do
    local top = line:match("^([%w]+):")
    if top then
      inside, margin = top == "devices", nil
      kind = kind or line:match("^kind:%s*[\"']?([%w./_-]+)")
    elseif inside then
      local dash = line:match("^(%s*)%-")
      margin = margin or dash
      if dash == margin then devices[#devices + 1] = { nodes = {} } end
      local device = devices[#devices]
      if device then
        device.name = line:match("^%s*%-?%s*name:%s*[\"']?([%w./:_-]+)") or device.name
        table.insert(device.nodes, line:match("^%s*%-?%s*path:%s*[\"']?(/dev/[%w./:_-]+)"))
      end
    end
  end
  return kind, devices
end

--- All devices that the specs in these folders name, and their nodes.
---@param folders string[]
---@return string[] names, table<string, string[]> nodes by name
function cdi.read(folders)
  local names, nodes = {}, {}
  for _, folder in ipairs(folders) do
    local dir = dirs.open(folder)
    for _, file in ipairs(dir and dir:list() or {}) do
      local parse = file:find("%.json$") and from_json or file:find("%.ya?ml$") and from_yaml
      local content = parse and dir:read(file, MOST_SPEC)
      local kind, devices = nil, nil
      if content then kind, devices = parse(content) end
      for _, device in ipairs(kind and devices or {}) do
        local full = device.name and kind .. "=" .. device.name
        if full and not nodes[full] then names[#names + 1], nodes[full] = full, device.nodes end
      end
    end
    if dir then dir:close() end
  end
  table.sort(names)
  return names, nodes
end

--- Whose part it is: the card with one of its nodes, or the vendor's only one.
local function parent_of(nodes, by_node, only)
  for _, node in ipairs(nodes) do
    if by_node[node] then return by_node[node] end
  end
  return only or {}
end

--- Give GPUs their CDI names, and add the parts that CDI alone knows, by their uuid.
---@param nodes table<string, string[]> of cdi.read
---@param by_node table<string, table> GPUs by the node that only they have
function cdi.join(host, nodes, by_node)
  local by_uuid, by_vendor, count = {}, {}, {}
  for _, gpu in ipairs(host.gpus) do
    if gpu.uuid then by_uuid[gpu.uuid:lower()] = gpu end
    local vendor = gpu.vendor and gpu.vendor:lower():match("^%a+")
    if vendor then by_vendor[vendor], count[vendor] = gpu, (count[vendor] or 0) + 1 end
  end
  for _, full in ipairs(host.cdi) do
    local vendor, name = full:match("^(%a+)[^=]*=(.+)$")
    local gpu = name and by_uuid[name:lower()]
    local owner = vendor and by_vendor[vendor:lower()]
    if gpu then
      gpu.cdi = full
    elseif owner and name:find("^%u+%-%x+%-%x") then -- a partition's uuid, such as MIG-…
      local parent = parent_of(nodes[full], by_node, count[vendor:lower()] == 1 and owner)
      host.gpus[#host.gpus + 1] = { uuid = name, cdi = full, policy = owner.policy,
        vendor = owner.vendor, pci_vendor = owner.pci_vendor, pci_address = parent.pci_address,
        model = parent.model, driver = parent.driver, numa_node = parent.numa_node, nodes = {},
        part_of = parent.uuid, health = parent.health or "ok" }
    end
  end
end

return cdi
