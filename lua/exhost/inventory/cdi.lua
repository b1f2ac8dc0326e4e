--- Names of devices in CDI specs (Container Device Interface): "vendor.com/class=name".

local dirs = require "exhost.dir"
local json = require "exhost.json"

local cdi = {}

local MOST_SPEC = 4 * 1024 * 1024

local function from_json(content)
  local spec = json.decode(content)
  local names = {}
  for _, device in ipairs(type(spec) == "table" and spec.devices or {}) do
    names[#names + 1] = device.name
  end
  return type(spec) == "table" and spec.kind, names
end

--- Of YAML only what the generators of such specs write is read: `kind:` at the margin, and
--- `name:` of the items of `devices:`.
local function from_yaml(content)
  local kind, names, inside = nil, {}, false
  for line in content:gmatch("[^\n]+") do
    local top = line:match("^([%w]+):")
    if top then
      inside = top == "devices"
      kind = kind or line:match("^kind:%s*[\"']?([%w./_-]+)")
    elseif inside then
      names[#names + 1] = line:match("^%s*%-?%s*name:%s*[\"']?([%w./:_-]+)")
    end
  end
  return kind, names
end

--- All devices that the specs in these folders name.
---@param folders string[]
---@return string[]
function cdi.names(folders)
  local found, seen = {}, {}
  for _, folder in ipairs(folders) do
    local dir = dirs.open(folder)
    for _, file in ipairs(dir and dir:list() or {}) do
      local parse = file:find("%.json$") and from_json or file:find("%.ya?ml$") and from_yaml
      local content = parse and dir:read(file, MOST_SPEC)
      if content then
        local kind, names = parse(content)
        for _, name in ipairs(kind and names or {}) do
          local full = kind .. "=" .. name
          if not seen[full] then found[#found + 1] = full end
          seen[full] = true
        end
      end
    end
    if dir then dir:close() end
  end
  table.sort(found)
  return found
end

--- Give GPUs their CDI names, and add the parts that CDI alone knows, by their uuid.
function cdi.join(host)
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
      -- Whose part it is, the spec does not say: plain only where there is one.
      local parent = count[vendor:lower()] == 1 and owner or {}
      host.gpus[#host.gpus + 1] = { uuid = name, cdi = full, policy = owner.policy,
        vendor = owner.vendor, pci_vendor = owner.pci_vendor, pci_address = parent.pci_address,
        nodes = {}, part_of = parent.uuid, health = "ok" }
    end
  end
end

return cdi
