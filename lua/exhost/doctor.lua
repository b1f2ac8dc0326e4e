--- What this machine offers, and what to do where it does not: for people and for `--json`.
--- What is a backend's own is in its doctor.lua.

local backends = require "exhost.backend"
local cgroup = require "exhost.cgroup"
local dirs = require "exhost.dir"
local fs = require "exhost.fs"
local inventory = require "exhost.inventory"

local doctor = {}

local LEAST_FILES, LEAST_WATCHES = 4096, 8192
local SOCKET_PATH = 107 -- of sun_path, less the NUL

local function finding(name, status, found, advice)
  return { name = name, status = status, found = found, advice = advice }
end

local function kernel()
  local release = fs.line("/proc/sys/kernel/osrelease") or "?"
  local major, minor = release:match("^(%d+)%.(%d+)")
  local version = (tonumber(major) or 0) * 1000 + (tonumber(minor) or 0)
  if version >= 5004 then return finding("kernel", "ok", release) end
  return finding("kernel", "fail", release,
    "processes are awaited by pidfd, which needs Linux 5.4: use a newer kernel")
end

--- What a kernel may have been built without.
local function features()
  local have, lack, namespaces = {}, {}, dirs.open("/proc/self/ns")
  for _, one in ipairs {
    { "seccomp", (fs.read("/proc/self/status") or ""):find("\nSeccomp:", 1, true),
      "policies cannot run" },
    { "inotify", fs.line("/proc/sys/fs/inotify/max_user_watches"), "output cannot be followed" },
    { "network namespaces", namespaces and namespaces:stat("net"), "microVMs have no network" },
  } do
    table.insert(one[2] and have or lack, one[2] and one[1] or one[1] .. ": " .. one[3])
  end
  if namespaces then namespaces:close() end
  if #lack == 0 then return finding("kernel features", "ok", table.concat(have, ", ")) end
  return finding("kernel features", "fail", "without " .. table.concat(lack, "; "),
    "use a kernel that has them")
end

local function cgroups()
  local found = cgroup.find()
  if found.version == 0 then
    return finding("control groups", "warn", "none that we may use",
      "limits are not enforced and strays are found by their environment alone: run as root, or "
        .. "in a unit with Delegate=yes")
  end
  local missing = cgroup.unenforced(found, { memory = 1, cores = 1, pids = 1 })
  local version = "version " .. found.version
  if #missing == 0 then
    return finding("control groups", "ok", version .. ", memory, cores and pids can be limited")
  end
  return finding("control groups", "warn", version .. ", without " .. table.concat(missing, ", "),
    "such limits are not enforced, and said so in plan")
end

local function state_folder(ex)
  local path = ex.state.path .. "/" .. ex:id()
  if #path + #"/serve.sock" > SOCKET_PATH then
    return finding("state folder", "ok", path .. " (longer than a socket's path may be; sockets "
      .. "are reached through descriptors)")
  end
  return finding("state folder", "ok", string.format("%s (%d bytes; a socket's path may have %d)",
    path, #path, SOCKET_PATH))
end

local function open_files()
  local soft = fs.open_files()
  if not soft or soft >= LEAST_FILES then
    return finding("open files", "ok", tostring(soft or "unlimited"))
  end
  return finding("open files", "warn", tostring(soft),
    string.format("a host with many executions needs more than that: raise it to %d (ulimit -n, "
      .. "LimitNOFILE=)", LEAST_FILES))
end

local function watches()
  local most = tonumber(fs.line("/proc/sys/fs/inotify/max_user_watches") or "")
  if not most or most >= LEAST_WATCHES then
    return finding("inotify watches", "ok", tostring(most or "?"))
  end
  return finding("inotify watches", "warn", tostring(most), string.format(
    "each waiting host needs one an execution: sysctl fs.inotify.max_user_watches=%d",
    LEAST_WATCHES))
end

--- Under a unit that kills its whole control group supervisors die with the host.
local function unit()
  if not os.getenv("INVOCATION_ID") then return nil end
  return finding("systemd unit", "warn", "running in one",
    "supervisors must outlive the host: the unit needs KillMode=process and Delegate=yes")
end

--- Who may open the nodes of GPUs, and what CDI names.
local function devices(ex, host)
  local folders = inventory.roots(ex.settings.inventory).cdi
  local groups = {}
  for _, name in ipairs { "render", "video" } do
    groups[#groups + 1] = host.groups[name] and string.format("%s %d", name, host.groups[name])
  end
  return finding("cdi", "ok", string.format("%s in %s", #host.cdi > 0
      and table.concat(host.cdi, ", ") or "no devices", table.concat(folders, ", "))),
    finding("gpu groups", "ok", #groups > 0 and table.concat(groups, ", ")
      or "neither render nor video in /etc/group")
end

local function policies(ex, out)
  local all = ex:policies():list()
  for _, one in ipairs(all) do
    out[#out + 1] = one.about
      and finding("policy " .. one.name, "ok", string.format("version %s, %d examples pass",
        one.about.version, one.about.examples))
      or finding("policy " .. one.name, "fail", one.error, "exhost policy check " .. one.path)
  end
  local host = inventory.read(all, ex.settings.inventory)
  for _, gpu in ipairs(host.gpus) do
    local what = string.format("%s %s", gpu.model or gpu.vendor or "display card",
      gpu.uuid or gpu.pci_address or "")
    if not gpu.policy then
      out[#out + 1] = finding("gpu " .. (gpu.pci_address or gpu.uuid), "ok", what
        .. ", which no policy serves")
    elseif gpu.health == "ok" then
      out[#out + 1] = finding("gpu " .. (gpu.uuid or gpu.pci_address), "ok", what)
    else
      out[#out + 1] = finding("gpu " .. (gpu.uuid or gpu.pci_address), "warn", what .. ": "
        .. gpu.health, gpu.driver and "see the kernel's log; reset or replace it"
        or "jobs cannot use it: load its driver")
    end
  end
  if #host.gpus == 0 then out[#out + 1] = finding("gpus", "ok", "none") end
  out[#out + 1], out[#out + 2] = devices(ex, host)
end

--- What a backend says of itself: its doctor.lua answers a list of the same form.
local function of_backends(ex, out)
  for _, name in ipairs(backends.names(ex.lua_path)) do
    local opened, err = ex:backend(name)
    if not opened then
      out[#out + 1] = finding("backend " .. name, "fail", err, "see the message")
    else
      local ok, examine = pcall(require, "backends." .. name .. ".doctor")
      if ok then
        for _, entry in ipairs(examine(opened)) do out[#out + 1] = entry end
      else
        out[#out + 1] = finding("backend " .. name, "ok", "loaded")
      end
    end
  end
end

--- Examine everything. Suspends.
---@param ex exhost.Executor
---@return { name: string, status: string, found: string, advice: string? }[] findings status:
--- ok, warn, fail
function doctor.examine(ex)
  local out = { kernel(), features(), cgroups(), state_folder(ex), open_files(), watches() }
  out[#out + 1] = unit()
  of_backends(ex, out)
  policies(ex, out)
  return out
end

return doctor
