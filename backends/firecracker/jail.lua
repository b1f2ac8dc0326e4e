--- A monitor in a jail: the jailer makes a root folder of it and becomes a user of its own, one
-- for each execution. That user owns the folder while the machine runs, so nothing in it is
-- believed: what is needed of it is taken out after the end, by renames.

local build = require "exhost.build"
local capture = require "exhost.capture"
local ext4 = require "backends.firecracker.ext4"
local metadata = require "backends.firecracker.metadata"
local system = require "exhost.system"

local jail = {}

local FOLDER = "jail" -- in the machine's
local OWN_SECONDS = 60
local HEAD, PT_INTERP = 4096, 3 -- of an ELF file

--- What a machine reads, by its name in the jail. A command's initrd is made there.
jail.KERNEL, jail.DISK, jail.INITRD = "kernel", "disk", "initrd"

--- The jailer of the settings, else EXHOST_JAILER; "" in the settings: none.
---@param own table backends.firecracker of the settings
---@return string? path nil: none is named
function jail.named(own)
  local path = own.jailer or os.getenv "EXHOST_JAILER"
  return path ~= "" and path or nil
end

local function number_at(bytes, at, size)
  local value = 0
  for i = size, 1, -1 do value = value * 256 + (bytes:byte(at + i) or 0) end
  return value
end

--- Whether a program needs a linker, which no jail has: an ELF file with PT_INTERP in its headers.
function jail.is_dynamic(head)
  if head:sub(1, 5) ~= "\127ELF\2" then return false end
  local at, size = number_at(head, 0x20, 8), number_at(head, 0x36, 2)
  for i = 0, number_at(head, 0x38, 2) - 1 do
    if number_at(head, at + i * size, 4) == PT_INTERP then return true end
  end
  return false
end

local function check_binary(path)
  local real, err = system.real_path(path)
  local file
  if real then file, err = io.open(real, "rb") end
  if not file then
    return nil, string.format("firecracker binary %s: %s", path, err), "unavailable"
  end
  local head = file:read(HEAD) or ""
  file:close()
  if jail.is_dynamic(head) then
    return nil, string.format("firecracker binary %s is linked dynamically, and a jail has no "
      .. "libraries: name a static one, or no jailer", path), "unavailable"
  end
  return real:match("[^/]+$")
end

--- Whether this host can use one. Reads only.
---@return table? facts { jailer, exec }, or `{ why }` where monitors run as the caller; nil: it is
--- wrong, string? err, string? code
function jail.facts(own, binary)
  local path = jail.named(own)
  local uid = system.ids()
  if not path then
    return { why = string.format("no jailer is named: the monitor runs as the caller, uid %d "
      .. "(backends.firecracker.jailer, or EXHOST_JAILER)", uid) }
  end
  if uid ~= 0 then
    return { why = string.format("jail (a jailer needs root: the monitor runs as uid %d)", uid),
      named = true }
  end
  local file, err = io.open(path, "rb")
  if path:sub(1, 1) ~= "/" then err = "expected an absolute path" end
  if file then file:close() end
  if err then return nil, string.format("jailer %s: %s", path, err), "unavailable" end
  local exec, why, code = check_binary(binary)
  if not exec then return nil, why, code end
  return { jailer = path, exec = exec }
end

local function steps(body)
  return { FOLDER, body.jail.exec, body.name, "root" }
end

--- The root folder of the jail, seen from the machine's.
---@return string
function jail.path(body)
  return table.concat(steps(body), "/")
end

--- Open it.
---@param where exhost.dir the machine's folder
---@return exhost.dir? root, string? err
function jail.open(where, body, create)
  local dir = where
  for _, name in ipairs(steps(body)) do
    local next_one, err = dir:open(name, create)
    if dir ~= where then dir:close() end
    if not next_one then return nil, err end
    dir = next_one
  end
  return dir
end

local function change(program, word, names, root)
  local path, err, code = ext4.program(program)
  if not path then return nil, err, code end
  local argv = { path, word }
  for _, name in ipairs(names) do argv[#argv + 1] = "/proc/self/fd/5/" .. name end
  local ok, why, printed = capture.run(argv, { seconds = OWN_SECONDS, fds = { [5] = root:fd() },
    errors = true, env = { "LC_ALL=C" } })
  if not ok then
    return nil, string.format("%s: %s: %s", program, why, (printed or ""):gsub("%s+", " ")), "io"
  end
  return true
end

--- Copy the user's files into the jail and make all in it the uid's. Suspends.
---@param root exhost.dir nobody else has it yet
---@return true? ok, string? err, string? code
function jail.fill(root, body, uid)
  local copies = { { jail.KERNEL, body.kernel }, { jail.DISK, body.disk },
    { jail.INITRD, not body.argv and body.initrd or nil } }
  for _, copy in pairs(copies) do
    if copy[2] then
      local ok, err, code = ext4.copy(copy[2], root, copy[1])
      if not ok then return nil, string.format("copy %s: %s", copy[2], err), code end
    end
  end
  local names, err = root:list()
  if not names then return nil, err, "io" end
  local ok, why, code = change("chmod", "600", names, root)
  if ok then ok, why, code = change("chown", string.format("%.0f:%.0f", uid, uid), names, root) end
  if not ok then return nil, why, code end
  return true
end

--- The command line of the supervisor's child: relay, jailer where there is one, monitor.
---@param path string the machine's folder
---@param uid integer? of the jail
---@param socket string where the guest reports, "-": nowhere
---@return string[]
function jail.command(path, body, uid, socket)
  local argv = { build.libexec .. "/exhost-relay" }
  local function add(...)
    for _, word in ipairs { ... } do argv[#argv + 1] = word end
  end
  local id = uid and string.format("%.0f", uid)
  if body.jail then add("--jail", jail.path(body), id, id) end
  add(socket)
  if body.jail then
    add(body.jail.jailer, "--id", body.name, "--exec-file", body.binary, "--uid", id, "--gid", id,
      "--chroot-base-dir", path .. "/" .. FOLDER, "--")
  else
    add(body.binary, "--id", body.name)
  end
  add("--api-sock", "api.sock", "--config-file", "config.json", "--log-path", "vmm.log",
    "--level", "Error")
  if body.metadata then add("--metadata", metadata.FILE) end
  return argv
end

--- One file out of the jail into the machine's folder; anything else by that name goes.
local function bring(root, where, name)
  if root:rename(name, where, name) then
    local st = where:stat(name)
    if st and st.kind ~= "file" then where:remove_tree(name) where:unlink(name) end
  end
end

--- After the end, with nothing of the machine alive: take out what is read, remove the rest. Any
--- number of times.
---@param where exhost.dir the machine's folder
function jail.settle(where, body)
  local root = jail.open(where, body)
  if root then
    bring(root, where, "vmm.log")
    for _, volume in ipairs(body.volumes or {}) do
      if volume.kind == "output" then bring(root, where, volume.image) end
    end
    root:close()
  end
  where:remove_tree(FOLDER)
end

return jail
