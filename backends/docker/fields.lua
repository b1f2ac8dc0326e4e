--- Which fields a container's body may have, and of what form: Docker Engine API, ContainerCreate.
-- Go decodes keys in any case and lets the last one win, at every depth. So only the API's own
-- spelling passes, or what is checked would not be what the engine reads.

local fields = {}

local function list(of) return { list = of } end
local function map(of) return { map = of } end
local function record(known) return { record = known } end

local S, N, B = "string", "integer", "boolean"

local MOUNT = record {
  Type = S, Source = S, Target = S, ReadOnly = B, Consistency = S,
  BindOptions = record { Propagation = S, NonRecursive = B, CreateMountpoint = B,
    ReadOnlyNonRecursive = B, ReadOnlyForceRecursive = B },
  VolumeOptions = record { NoCopy = B, Labels = map(S), Subpath = S,
    DriverConfig = record { Name = S, Options = map(S) } },
  TmpfsOptions = record { SizeBytes = N, Mode = N },
}

local HOST = record {
  Memory = N, MemorySwap = N, NanoCpus = N, PidsLimit = N, CpuShares = N, CpusetCpus = S,
  ShmSize = N, OomScoreAdj = N, Ulimits = list(record { Name = S, Soft = N, Hard = N }),
  Privileged = B, CapAdd = list(S), CapDrop = list(S), SecurityOpt = list(S), GroupAdd = list(S),
  MaskedPaths = list(S), ReadonlyPaths = list(S), ReadonlyRootfs = B, Sysctls = map(S),
  PidMode = S, IpcMode = S, UTSMode = S, UsernsMode = S, CgroupnsMode = S, NetworkMode = S,
  Dns = list(S), DnsSearch = list(S), DnsOptions = list(S), ExtraHosts = list(S),
  PortBindings = map(list(record { HostIp = S, HostPort = S })),
  Binds = list(S), Mounts = list(MOUNT), Tmpfs = map(S), VolumesFrom = list(S),
  StorageOpt = map(S), LogConfig = record { Type = S, Config = map(S) },
  RestartPolicy = record { Name = S, MaximumRetryCount = N }, Init = B, Runtime = S,
  Devices = list(record { PathOnHost = S, PathInContainer = S, CgroupPermissions = S }),
  DeviceRequests = list(record { Driver = S, Count = N, DeviceIDs = list(S),
    Capabilities = list(list(S)), Options = map(S) }),
  DeviceCgroupRules = list(S), Annotations = map(S),
}

local BODY = record {
  Image = S, Labels = map(S), Env = list(S), Entrypoint = list(S), Cmd = list(S), WorkingDir = S,
  User = S, Tty = B, ExposedPorts = map(record {}), HostConfig = HOST, StopSignal = S,
  StopTimeout = N, Hostname = S, Domainname = S,
  Healthcheck = record { Test = list(S), Interval = N, Timeout = N, StartPeriod = N,
    StartInterval = N, Retries = N },
}

local check

local function check_list(of, value, path)
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  if count ~= #value then return nil, path .. ": expected a list, got an object" end
  for i, item in ipairs(value) do
    local ok, err = check(of, item, string.format("%s[%d]", path, i))
    if not ok then return nil, err end
  end
  return true
end

local function check_keys(shape, value, path)
  local keys = {}
  for key in pairs(value) do
    if type(key) ~= "string" then return nil, path .. ": expected an object, got a list" end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local item = value[key]
    local inner = (path == "" and "" or path .. ".") .. key
    local form = shape.map or shape.record[key]
    if not form then
      return nil, inner .. " is no field of a container that is known here"
    end
    local ok, err = check(form, item, inner)
    if not ok then return nil, err end
  end
  return true
end

--- Hold a value against a form: a type's name, or a list, a map or a record of forms.
function check(form, value, path)
  local kind = type(value)
  if type(form) == "table" then
    if kind ~= "table" then
      return nil, string.format("%s: expected %s, got a %s", path,
        form.list and "a list" or "an object", kind)
    end
    if form.list then return check_list(form.list, value, path) end
    return check_keys(form, value, path)
  end
  local whole = kind == "number" and value == math.floor(value) and math.abs(value) <= 2 ^ 53
  if form == N and whole or form ~= N and kind == form then return true end
  return nil, string.format("%s: expected %s %s, got %s", path, form == N and "an" or "a", form,
    kind == "number" and tostring(value) or "a " .. kind)
end

--- Check that the engine will read a body as it is meant here.
---@param body table of POST /containers/create
---@return true? ok, string? err begins with the field
function fields.check(body)
  return check(BODY, body, "")
end

return fields
