--- A monitor in a jail: the jailer makes a root folder of it and becomes a user of its own, one
-- for each execution. That user owns the folder while the machine runs, so nothing in it is
-- believed: what is needed of it is taken out after the end, by renames.

local build = require "exhost.build"
local capture = require "exhost.capture"
local dirs = require "exhost.dir"
local ext4 = require "backends.firecracker.ext4"
local metadata = require "backends.firecracker.metadata"
local system = require "exhost.system"

local jail = {}

local FOLDER = "jail" -- in the machine's
local OWN_SECONDS = 60
local LOG, LOG_TAIL = "vmm.log", 4096

--- What a machine reads, by its name in the jail. A command's initrd is made there.
jail.KERNEL, jail.DISK, jail.INITRD = "kernel", "disk", "initrd"

--- A name below the operator's folder for jails, which others may use: no two are the same, also
--- of two state folders.
function jail.folder_name(body)
  return body.jail.base and body.name .. "." .. system.random_hex(6) or nil
end

--- The folder that holds the jail: in the machine's, or below the operator's own for jails.
---@param where exhost.dir the machine's folder
---@return exhost.dir? holder, string? err
local function open_holder(where, execution, create)
  local base = execution.plan.jail.base
  if not base then return where:open(FOLDER, create) end
  local dir, err = dirs.open(base, { no_links = true })
  if not dir then return nil, base .. ": " .. err end
  local holder
  holder, err = dir:open(execution.record.jail_folder, create)
  dir:close()
  return holder, err
end

local function holder_path(path, execution)
  local base = execution.plan.jail.base
  return base and base .. "/" .. execution.record.jail_folder or path .. "/" .. FOLDER
end

--- Open its root folder.
---@param where exhost.dir the machine's folder
---@return exhost.dir? root, string? err
function jail.open(where, execution, create)
  local body = execution.plan
  local dir, err = open_holder(where, execution, create)
  for _, name in ipairs { body.jail.exec, body.name, "root" } do
    if not dir then return nil, err end
    local above = dir
    dir, err = above:open(name, create)
    above:close()
  end
  return dir, err
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
---@param socket string where the guest reports, "-": nowhere
---@return string[]
function jail.command(path, execution, socket)
  local argv, body = { build.libexec .. "/exhost-relay" }, execution.plan
  local function add(...)
    for _, word in ipairs { ... } do argv[#argv + 1] = word end
  end
  if body.jail then
    local id = string.format("%.0f", execution.record.jail_uid)
    local holder = holder_path(path, execution)
    add("--jail", table.concat({ holder, body.jail.exec, body.name, "root" }, "/"), id, id, socket)
    add(body.jail.jailer, "--id", body.name, "--exec-file", body.binary, "--uid", id, "--gid", id,
      "--chroot-base-dir", holder, "--")
  else
    if body.disk then add(body.disk_shared and "--disk-shared" or "--disk", body.disk) end
    add(socket, body.binary, "--id", body.name)
  end
  add("--api-sock", "api.sock", "--config-file", "config.json", "--log-path", LOG)
  add("--level", "Error")
  if body.metadata then add("--metadata", metadata.FILE) end
  return argv
end

--- One file out of the jail into a folder that is ours; anything else by that name goes.
local function bring(root, into, name)
  if root:rename(name, into, name) then
    local st = into:stat(name)
    if st and st.kind ~= "file" then into:remove_tree(name) into:unlink(name) end
  end
end

--- After the end, with nothing of the machine alive: take out what is read, remove the rest. Any
--- number of times.
---@param where exhost.dir the machine's folder
---@return exhost.dir? images where outputs lie until `drop`; nil: in the machine's folder
function jail.settle(where, execution)
  local body = execution.plan
  local holder = body.jail.base and open_holder(where, execution)
  local into = holder or where
  local root = jail.open(where, execution)
  if root then
    bring(root, into, LOG)
    for _, volume in ipairs(body.volumes or {}) do
      if volume.kind == "output" then bring(root, into, volume.image) end
    end
    root:close()
  end
  if not holder then
    where:remove_tree(FOLDER)
    return nil
  end
  holder:remove_tree(body.jail.exec)
  local tail = holder:read_at(LOG, -LOG_TAIL, LOG_TAIL)
  if tail then where:write(LOG, tail) end -- another file system, perhaps
  return holder
end

--- Remove what is below the operator's folder for jails. Any number of times.
---@return true? ok, string? err
function jail.drop(execution)
  local base = ((execution.plan or {}).jail or {}).base
  local name = (execution.record or {}).jail_folder
  if not base or not name then return true end
  local dir, err, code = dirs.open(base, { no_links = true })
  if not dir then return code == "ENOENT" or nil, err end
  local ok
  ok, err = dir:remove_tree(name)
  dir:close()
  return ok, err
end

return jail
