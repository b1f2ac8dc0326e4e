--- What the engine knows of a container's network, in DMS's form.

--- The network in use: the one its mode names, else the first by name.
local function pick(networks, mode)
  if networks[mode] then return mode, networks[mode] end
  local names = {}
  for name in pairs(networks) do names[#names + 1] = name end
  table.sort(names)
  return names[1], networks[names[1]]
end

local function mapped(ports)
  local list = require("exhost.json").array {}
  local keys = {}
  for key in pairs(ports or {}) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local port, protocol = key:match("^(%d+)/(%w+)$")
    for _, binding in ipairs(type(ports[key]) == "table" and ports[key] or {}) do
      list[#list + 1] = { host_ip = binding.HostIp ~= "" and binding.HostIp or "0.0.0.0",
        host_port = tonumber(binding.HostPort), executor_port = tonumber(port),
        protocol = protocol }
    end
  end
  return list
end

---@param record table an inspect answer
---@return table
return function(record)
  local settings = record.NetworkSettings or {}
  local mode = record.HostConfig and record.HostConfig.NetworkMode
  if mode == "default" then mode = "bridge" end
  local name, network = pick(settings.Networks or {}, mode)
  network = network or {}
  local ip = network.IPAddress ~= "" and network.IPAddress or nil
  return { interface_name = name, ip_address = ip,
    cidr = ip and string.format("%s/%d", ip, network.IPPrefixLen or 32) or nil,
    mapped_ports = mapped(settings.Ports) }
end
