--- exhost-init as pid 1 of namespaces, without a monitor: in a root folder with a busybox,
--- its records read from its console. Needs to be root.

local build = require "exhost.build"
local guest = require "backends.firecracker.guest"
local guest_image = require "support.guest_image"
local system = require "exhost.system"
local write = require "support.write"

local in_namespaces = {}

local TOKEN = "0123456789abcdef"

function in_namespaces.possible()
  return os.execute("command -v busybox >/dev/null && "
    .. "unshare --mount --pid --fork true 2>/dev/null") == 0
end

local function quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- Records of a console, and what is left of it: number, name and pairs.
function in_namespaces.parse(console)
  local records = {}
  local mark = "\n@@EXHOST (%S+) (%d+) (%x+) ([^\n]*)\n"
  local rest = console:gsub(mark, function(token, size, _, text)
    assert(token == TOKEN and tonumber(size) == #text, text)
    local number, kind, pairs_text = text:match("^(%d+) (%S+) ?(.*)$")
    local record = { number = tonumber(number), name = kind }
    for key, value in pairs_text:gmatch("([%w_]+)=(%S+)") do record[key] = value end
    records[#records + 1] = record
    return ""
  end)
  return records, rest
end

--- Run a job.
---@param job table argv, and environment, user, uid, gid, working_directory, scripts (text by name)
---@return table records, string output, integer status of the namespaces' end
function in_namespaces.run(job, options)
  local root = "/tmp/exhost-guest-root-" .. system.random_hex(4)
  local names = {}
  for name in pairs(job.scripts or {}) do names[#names + 1] = name end
  table.sort(names)
  local body = { argv = job.argv, environment = job.environment or { "PATH=/bin" },
    user = job.user, uid = job.uid, gid = job.gid,
    working_directory = job.working_directory or "/", scripts = names }
  os.execute("mkdir -p " .. root .. "/exhost " .. root .. "/bin " .. root .. "/tmp")
  write(root .. "/bin/busybox", guest_image.busybox())
  os.execute(string.format("cp %s/exhost-init %s/init; cd %s/bin && chmod 755 busybox && "
    .. "for a in sh echo sleep true false id cat pwd kill ps; do ln -s busybox $a; done",
    build.libexec, root, root))
  for name, data in pairs(options and options.files or {}) do
    os.execute("mkdir -p " .. (root .. name):match("^(.*)/"))
    write(root .. name, data)
  end
  write(root .. "/exhost/job", options and options.job
    or guest.job(body, job.scripts or {}, TOKEN))
  local command = string.format("exec timeout -s KILL 30 unshare --mount --pid --fork "
    .. "--root=%s /init exhost.namespaces %s >%s/console 2>&1 </dev/null", root,
    quote(options and options.words or "exhost.report=serial"), root)
  local status = os.execute(command)
  local file = assert(io.open(root .. "/console", "rb"))
  local console = file:read("*a")
  file:close()
  local left = io.open(root .. "/exhost/job")
  if left then left:close() end
  os.execute("rm -rf " .. root)
  local records, output = in_namespaces.parse(console)
  return records, output, status, left ~= nil
end

return in_namespaces
