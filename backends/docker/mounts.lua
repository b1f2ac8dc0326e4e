--- Volumes and ports of a request: what an engine would refuse or mix up is refused here, before
-- anything is made.

local address = require "exhost.request.address"
local json = require "exhost.json"
local text = require "exhost.text"

local mounts = {}

local NAME = "^[A-Za-z0-9][A-Za-z0-9_.-]+$" -- of a volume, as the engine has it

local function is_path(source)
  return source:find("/", 1, true) ~= nil
end

--- Volumes in their order, with where they stand in the request.
local function each(asked)
  local all = {}
  for _, field in ipairs { "inputs", "outputs" } do
    for i, volume in ipairs(asked[field] or {}) do
      all[#all + 1] = { volume = volume, at = string.format("%s[%d]", field, i),
        readonly = field == "inputs" and volume.readonly or nil }
    end
  end
  return all
end

local function check_volume(volume, at)
  local source = volume.source
  if is_path(source) and source:sub(1, 1) ~= "/" or not is_path(source) and not source:find(NAME)
  then
    return nil, string.format("%s.source: expected an absolute path or the name of a volume, "
      .. "got %s", at, text.quote(source))
  end
  if not volume.target then return nil, at .. ".target: required, but not given" end
  local target = (volume.target .. "/"):gsub("/[./]*/", function(between)
    return between:find("..", 1, true) and between or "/"
  end)
  if target == "/" then return nil, at .. ".target: the root cannot be mounted over" end
  return target
end

local function check_volumes(asked)
  local seen = {}
  for _, entry in ipairs(each(asked)) do
    local target, err = check_volume(entry.volume, entry.at)
    if not target then return nil, err end
    if seen[target] then
      return nil, string.format("%s.target: the same place as %s.target: %s", entry.at,
        seen[target], text.quote(entry.volume.target))
    end
    seen[target] = entry.at
  end
  return true
end

local function check_ports(asked)
  local seen = {}
  for i, port in ipairs(asked.ports_to_bind or {}) do
    local key = string.format("%s %d/%s", address.canonical(port.ip or ""), port.host_port or 0,
      port.protocol or "tcp")
    if seen[key] and (port.host_port or 0) > 0 then
      return nil, string.format("ports_to_bind[%d]: binds the same port of the host as "
        .. "ports_to_bind[%d]: %d", i, seen[key], port.host_port)
    end
    seen[key] = i
  end
  return true
end

--- Check the volumes and ports of a request.
---@return true? ok, string? err, string? code "invalid"
function mounts.check(asked)
  for _, part in ipairs { check_volumes, check_ports } do
    local ok, err = part(asked)
    if not ok then return nil, err, "invalid" end
  end
  return true
end

--- HostConfig.Mounts of a request that has been checked; nil where there are none. A source with
--- a slash is a path of the host, as DMS has it, another one a volume's name.
---@param labels table of volumes that the engine makes
---@return table? mounts
function mounts.make(asked, labels)
  local found = json.array {}
  for i, entry in ipairs(each(asked)) do
    local volume = entry.volume
    local bind = is_path(volume.source)
    found[i] = { Type = bind and "bind" or "volume", Source = volume.source,
      Target = volume.target, ReadOnly = entry.readonly,
      VolumeOptions = not bind and { Labels = labels } or nil }
  end
  return #found > 0 and found or nil
end

return mounts
