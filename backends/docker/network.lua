--- What the engine knows of a container's network, in DMS's form.

local sorted_keys = require "exhost.sorted_keys"

--- The network in use: the one its mode names, else the first by name.
local function pick(networks, mode)
  if networks[mode] then return mode, networks[mode] end
  local first = sorted_keys(networks)[1]
  return first, networks[first]
end

local function mapped(ports)
  local list = require("exhost.json").array {}
  for _, key in ipairs(sorted_keys(ports)) do
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
