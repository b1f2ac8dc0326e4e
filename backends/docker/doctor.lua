--- What `exhost doctor` says of the engine.

local function finding(name, status, found, advice)
  return { name = "docker " .. name, status = status, found = found, advice = advice }
end

local function limits(info)
  local missing = {}
  for field, name in pairs { MemoryLimit = "memory", CpuCfsQuota = "cpu", PidsLimit = "pids" } do
    if info[field] == false then missing[#missing + 1] = name end
  end
  table.sort(missing)
  if #missing == 0 then return finding("limits", "ok", "memory, cpu, pids") end
  return finding("limits", "warn", "no limit of " .. table.concat(missing, ", "),
    "the engine drops such limits with a warning: mount its control groups")
end

--- Devices by name, which engines list from API 1.49 on.
local function cdi(info)
  local names, listed = {}, info.DiscoveredDevices
  for _, device in ipairs(type(listed) == "table" and listed or {}) do
    if device.Source == "cdi" then names[#names + 1] = device.ID end
  end
  if #names > 0 then return finding("cdi", "ok", table.concat(names, ", ")) end
  local folders = type(info.CDISpecDirs) == "table" and table.concat(info.CDISpecDirs, ", ") or ""
  return finding("cdi", "ok", folders ~= "" and "reads " .. folders
    or "this engine knows no CDI, or it is off")
end

--- The engine: reachable, its version, and what it does not do. Suspends.
---@param backend exhost.DockerBackend
return function(backend)
  local api = backend.api
  local version, err = api:call("GET", "/version", { timeout = 10 })
  if not version then
    return { finding("engine", "warn", err, "start it, or set DOCKER_HOST or DOCKER_CONTEXT; "
      .. "without an engine other backends work") }
  end
  local parts = version.Components
  local name = parts and parts[1] and parts[1].Name or "Engine"
  local out = { finding("engine", "ok", string.format("%s %s at %s, API %s (we speak %s)", name,
    version.Version, api.where, version.ApiVersion, api.version)) }
  local info = api:call("GET", "/info", { timeout = 10 })
  if info then
    out[#out + 1], out[#out + 2] = limits(info), cdi(info)
    if name:lower():find("podman", 1, true) then
      out[#out + 1] = finding("oom", "warn", "this engine never says that a job was out of memory",
        "such ends read as killed")
    end
    if info.LiveRestoreEnabled == false then
      out[#out + 1] = finding("live-restore", "warn", "off",
        'jobs end when the engine restarts: set "live-restore": true in its daemon.json')
    end
  end
  return out
end
