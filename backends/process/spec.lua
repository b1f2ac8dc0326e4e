--- What a process job inherits, and how its shim is told (design.md sections 5 and 6).

local json = require "exhost.json"
local loop = require "exhost.loop"

local spec = {}

local PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
local UMASK = "022"

-- <asm-generic/resource.h>
local RLIMITS = { cpu = 0, fsize = 1, data = 2, stack = 3, core = 4, rss = 5, nproc = 6, nofile = 7,
  memlock = 8, as = 9, locks = 10, sigpending = 11, msgqueue = 12, nice = 13, rtprio = 14,
  rttime = 15 }

--- The environment: fixed, then the job's own, which wins. Nothing of the host's leaks in.
local function environment(request, user)
  local own = request.engine_spec.params.environment or {}
  local list, at = json.array {}, {}
  local function set(entry)
    local key = entry:match("^([^=]*)=")
    at[key] = at[key] or #list + 1
    list[at[key]] = entry
  end
  set("PATH=" .. PATH)
  set("HOME=" .. (user.home ~= "" and user.home or "/"))
  if user.name ~= "" then
    set("USER=" .. user.name)
    set("LOGNAME=" .. user.name)
  end
  for _, entry in ipairs(own) do set(entry) end
  set("EXHOST_EXECUTION=" .. request.execution_id)
  return list
end

--- Those asked for. The rest is inherited as exhost was started with it: exhost changes
--- none of its own.
local function rlimits(request)
  local limits = {}
  for name, limit in pairs(request.engine_spec.params.rlimits or {}) do
    limits[name] = type(limit) == "table" and limit or { soft = limit, hard = limit }
  end
  return limits
end

--- The body of the plan.
function spec.body(request, facts, limits)
  local params = request.engine_spec.params
  local argv = json.array {}
  for _, list in ipairs { params.entrypoint or {}, params.cmd or {} } do
    for _, word in ipairs(list) do argv[#argv + 1] = word end
  end
  local user = facts.user
  local root = facts.uid == 0
  return {
    argv = argv, environment = environment(request, user),
    working_directory = params.working_directory or "/",
    uid = root and user.uid or nil, gid = root and user.gid or nil,
    groups = root and json.array(user.groups) or nil,
    umask = UMASK, rlimits = rlimits(request), limits = limits,
    timeout = request.timeout, stop_signal = request.stop_signal, stop_grace = request.stop_grace,
    scripts = request.provision_scripts and next(request.provision_scripts)
      and spec.script_names(request.provision_scripts) or nil,
  }
end

--- Provision scripts run in the order of their names, byte by byte.
function spec.script_names(scripts)
  local names = json.array {}
  for name in pairs(scripts) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- The spec for the shim, in its order.
function spec.items(execution, cgroup_version, cgroups, settings)
  local body, items = execution.plan, {}
  local function add(key, value)
    if value ~= nil then items[#items + 1] = { key, value } end
  end
  add("execution", execution.id)
  for _, word in ipairs(body.argv) do add("argv", word) end
  for _, entry in ipairs(body.environment) do add("env", entry) end
  add("cwd", body.working_directory)
  add("uid", body.uid)
  add("gid", body.gid)
  for _, gid in ipairs(body.groups or {}) do add("group", gid) end
  add("umask", body.umask)
  for name, limit in pairs(body.rlimits) do
    add("rlimit", string.format("%d:%.0f:%.0f", RLIMITS[name], limit.soft, limit.hard))
  end
  add("log_limit", settings.log_limit)
  if body.timeout then add("deadline", loop.boottime(body.timeout)) end
  add("stop_signal", body.stop_signal)
  add("grace_ms", (body.stop_grace or settings.stop_grace) * 1000)
  add("pipe_grace_ms", settings.pipe_grace * 1000)
  add("pipe_grace_max_ms", settings.pipe_grace_max * 1000)
  if #cgroups > 0 then add("cgroup_version", cgroup_version) end
  for _, path in ipairs(cgroups) do add("cgroup", path) end
  for _, name in ipairs(body.scripts or {}) do
    add("script", name)
    add("script_data", execution.request.provision_scripts[name])
  end
  return items
end

spec.RLIMITS = RLIMITS

return spec
