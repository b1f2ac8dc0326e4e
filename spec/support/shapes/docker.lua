--- What exhost sends to a Docker engine, written down by hand: each request with the query, the
-- headers and the body that it may have. Held against what is really sent by the fake engine, and
-- against the engines' own descriptions, where these are, by shapes_spec.lua.
--
-- A shape: { "METHOD /path/{id}", query = { name = kind }, must = { names that are always there },
-- body = a form or nil, type = of a body that is no JSON, headers = { name = kind },
-- slashes = a name in the path may have some }. Kinds and forms: check.lua. What is not here is not
-- sent, or the shape is to be mended.

local function list(of) return { list = of } end
local function map(of) return { map = of } end

--- Of fields; those named after them are always there.
local function record(fields, ...) return { record = fields, must = { ... } } end

--- Older engines pass over what they do not know, so that it must not be sent to them.
local function from(version, form) return { from = version, form = form } end

--- JSON of lists of strings by these names.
local function filters(...)
  local known = {}
  for _, name in ipairs { ... } do known[name] = true end
  return { filters = known }
end

local S, N, B = "string", "integer", "boolean"

local MOUNT = record({
  Type = S, Source = S, Target = S, ReadOnly = B, Consistency = S,
  BindOptions = record { Propagation = S, NonRecursive = B, CreateMountpoint = from("1.42", B),
    ReadOnlyNonRecursive = from("1.44", B), ReadOnlyForceRecursive = from("1.44", B) },
  VolumeOptions = record { NoCopy = B, Labels = map(S), Subpath = from("1.45", S),
    DriverConfig = record { Name = S, Options = map(S) } },
  TmpfsOptions = record { SizeBytes = N, Mode = N },
}, "Type", "Target")

-- What a request, a policy and the ceiling can make of it.
local HOST = record({
  Memory = N, MemorySwap = N, NanoCpus = N, PidsLimit = N, CpuShares = N, CpusetCpus = S,
  ShmSize = N, OomScoreAdj = N, Init = B, Runtime = S, Annotations = from("1.43", map(S)),
  Ulimits = list(record({ Name = S, Soft = N, Hard = N }, "Name")),
  Privileged = B, CapAdd = list(S), CapDrop = list(S), SecurityOpt = list(S), GroupAdd = list(S),
  MaskedPaths = list(S), ReadonlyPaths = list(S), ReadonlyRootfs = B, Sysctls = map(S),
  PidMode = S, IpcMode = S, UTSMode = S, UsernsMode = S, CgroupnsMode = S,
  NetworkMode = S, Dns = list(S), DnsSearch = list(S), DnsOptions = list(S), ExtraHosts = list(S),
  PortBindings = map(list(record({ HostIp = S, HostPort = S }, "HostPort"))),
  Binds = list(S), Mounts = list(MOUNT), Tmpfs = map(S), VolumesFrom = list(S),
  StorageOpt = map(S), LogConfig = record({ Type = S, Config = map(S) }, "Type"),
  RestartPolicy = record({ Name = S, MaximumRetryCount = N }, "Name"),
  Devices = list(record({ PathOnHost = S, PathInContainer = S, CgroupPermissions = S },
    "PathOnHost")),
  DeviceRequests = list(record { Driver = S, Count = N, DeviceIDs = list(S),
    Capabilities = list(list(S)), Options = map(S) }),
  DeviceCgroupRules = list(S),
}, "PidsLimit", "LogConfig") -- no container is without limits

local CONTAINER = record({
  Image = S, Labels = map(S), Env = list(S), Entrypoint = list(S), Cmd = list(S), WorkingDir = S,
  User = S, Tty = B, ExposedPorts = map(record {}), HostConfig = HOST, StopSignal = S,
  StopTimeout = N, Hostname = S, Domainname = S,
  Healthcheck = record { Test = list(S), Interval = N, Timeout = N, StartPeriod = N,
    StartInterval = from("1.44", N), Retries = N },
}, "Image", "Labels", "HostConfig") -- without labels it would be nobody's

return {
  { "GET /_ping", unversioned = true }, -- it is what tells the version
  { "GET /version" },
  { "GET /info" },
  { "POST /containers/create", query = { name = "string" }, must = { "name" }, body = CONTAINER },
  { "GET /containers/json", query = { all = "bool", limit = "int", filters = filters "label" },
    must = { "filters" } }, -- others' containers are no business of ours
  { "GET /containers/{id}/json" },
  { "POST /containers/{id}/start" },
  { "POST /containers/{id}/attach", query = { stream = "bool", stdout = "bool", stderr = "bool" },
    must = { "stream", "stdout", "stderr" } },
  { "POST /containers/{id}/wait", query = { condition = "condition" } },
  { "GET /containers/{id}/logs", query = { stdout = "bool", stderr = "bool", follow = "bool",
    since = "time" }, must = { "stdout", "stderr" } },
  { "POST /containers/{id}/stop", query = { t = "int", signal = from("1.42", "signal") } },
  { "POST /containers/{id}/kill", query = { signal = "signal" } },
  { "POST /containers/{id}/pause" },
  { "POST /containers/{id}/unpause" },
  { "GET /containers/{id}/archive", query = { path = "string" }, must = { "path" } },
  { "PUT /containers/{id}/archive", query = { path = "string" }, must = { "path" },
    type = "application/x-tar" },
  { "POST /containers/{id}/exec", body = record({ AttachStdin = B, AttachStdout = B,
    AttachStderr = B, Cmd = list(S) }, "AttachStdout", "AttachStderr", "Cmd") },
  { "GET /containers/{id}/stats", query = { stream = "bool" }, must = { "stream" } },
  { "POST /containers/{id}/update", body = record { Memory = N, MemorySwap = N, NanoCpus = N,
    PidsLimit = N } },
  { "DELETE /containers/{id}", query = { force = "bool", v = "bool" } },
  { "POST /exec/{id}/start", body = record({ Detach = B, Tty = B }, "Detach", "Tty") },
  { "GET /exec/{id}/json" },
  { "GET /images/{name}/json", slashes = true },
  { "POST /images/create", query = { fromImage = "string", tag = "string", platform = "string" },
    must = { "fromImage", "tag" }, headers = { ["X-Registry-Auth"] = "auth" } },
  { "GET /events", query = { since = "time", ["until"] = "time",
    filters = filters("container", "event") }, must = { "until" } }, -- or it would not end
  { "GET /networks", query = { filters = filters "label" }, must = { "filters" } },
  { "DELETE /networks/{id}" },
  { "GET /volumes", query = { filters = filters "label" }, must = { "filters" } },
  { "DELETE /volumes/{name}" },
}
