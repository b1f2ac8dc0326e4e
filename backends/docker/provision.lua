--- What is put into a container before it starts: provision scripts with their runner, keys.

local client = require "backends.docker.client"
local json = require "exhost.json"
local tar = require "backends.docker.tar"

local provision = {}

local FOLDER = "/.exhost"
local RUNNER, FAILED = FOLDER .. "/run", FOLDER .. "/failed"

-- argv stays argv: it arrives as "$@". A script without #! is for /bin/sh.
local HEAD = [[
#!/bin/sh
run() {
  case $(head -c 2 "$1" 2>/dev/null) in
    '#!') "$1" ;;
    *) /bin/sh "$1" ;;
  esac
  code=$?
  [ $code -eq 0 ] && return 0
  printf '%s\n' "$2" >]] .. FAILED .. [[ 2>/dev/null
  exit $code
}
]]

--- Script names in the order in which they run: byte by byte.
---@return string[]? nil without scripts
function provision.names(scripts)
  if not scripts or not next(scripts) then return nil end
  local names = json.array {}
  for name in pairs(scripts) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function words(...)
  local all = json.array {}
  for _, list in ipairs { ... } do
    for _, word in ipairs(list) do all[#all + 1] = word end
  end
  return all
end

--- Put the runner in front of the container's command: its own, else the image's.
function provision.wrap(create, image)
  local entrypoint = create.Entrypoint or image.Entrypoint or {}
  local cmd = create.Cmd or not create.Entrypoint and image.Cmd or {}
  create.Entrypoint = json.array { "/bin/sh", RUNNER }
  create.Cmd = words(entrypoint, cmd)
end

local function script_entries(scripts)
  local names, lines = provision.names(scripts), { HEAD }
  local entries = { { name = FOLDER:sub(2) .. "/", directory = true, mode = 1023 },
    { name = FOLDER:sub(2) .. "/scripts/", directory = true, mode = 493 } }
  for _, name in ipairs(names) do
    local path = FOLDER .. "/scripts/" .. name
    entries[#entries + 1] = { name = path:sub(2), content = scripts[name], mode = 493 }
    lines[#lines + 1] = string.format("run '%s' '%s'\n", path, name) -- names hold no quotes
  end
  lines[#lines + 1] = 'exec "$@"\n'
  entries[#entries + 1] = { name = RUNNER:sub(2), content = table.concat(lines), mode = 493 }
  return entries
end

local function archive_path(id)
  return "/containers/" .. client.escape(id) .. "/archive"
end

--- Read a small file of a container; nil when it is not there.
---@return string? content, string? err, string? code
function provision.read(api, id, path)
  local answer, err, code = api:call("GET", archive_path(id),
    { query = { path = path }, limit = 4 * 1024 * 1024 })
  if not answer then return nil, err, code end
  return tar.first_file(answer.body or "")
end

--- Which script failed, if one did.
function provision.failed(api, id)
  local text = provision.read(api, id, FAILED)
  return text and text:match("^[^\n]+")
end

--- Numbers and home of the container's user, from its own passwd.
local function find_user(api, id, user)
  local name, group = (user or ""):match("^([^:]*):?(.*)$")
  if name == "" or name == "root" or name == "0" then
    return { uid = 0, gid = 0, home = "/root" }
  end
  local passwd = provision.read(api, id, "/etc/passwd") or ""
  for line in passwd:gmatch("[^\n]+") do
    local login, uid, gid, home = line:match("^([^:]*):[^:]*:(%d+):(%d+):[^:]*:([^:]*)")
    if login and (login == name or uid == name) then
      return { uid = tonumber(uid), gid = tonumber(group) or tonumber(gid), home = home }
    end
  end
  return nil, string.format("keys: user %q has no home in the image's /etc/passwd", user)
end

--- Check the keys of a request.
---@return true? ok, string? err, string? code "invalid"
function provision.check(asked)
  for i, key in ipairs(asked.keys or {}) do
    if key.type == "gpg" and not key.dest then
      return nil, string.format("keys[%d].dest: required for a gpg key", i), "invalid"
    end
  end
  return true
end

--- All ssh keys go into one file; a gpg key where it asks to be.
local function key_entries(keys, user)
  local entries, authorized = {}, {}
  for _, key in ipairs(keys) do
    if key.type == "ssh" then
      authorized[#authorized + 1] = (key.file:gsub("%s+$", "")) .. "\n"
    else
      entries[#entries + 1] = { name = key.dest:gsub("^/+", ""), content = key.file, mode = 384,
        uid = user.uid, gid = user.gid }
    end
  end
  if #authorized > 0 then
    local home = user.home:gsub("^/+", ""):gsub("/+$", "")
    local folder = home == "" and ".ssh" or home .. "/.ssh"
    table.insert(entries, 1, { name = folder .. "/", directory = true, mode = 448, uid = user.uid,
      gid = user.gid })
    table.insert(entries, 2, { name = folder .. "/authorized_keys", mode = 384, uid = user.uid,
      gid = user.gid, content = table.concat(authorized) })
  end
  return entries
end

local function put(api, id, entries, story)
  local archive, err = tar.make(entries)
  if not archive then return nil, err, "invalid" end
  local ok, why, code, data = api:call("PUT", archive_path(id),
    { query = { path = "/" }, raw = archive, type = "application/x-tar", story = story })
  if not ok then return nil, why, code, data end
  return true
end

--- Copy scripts and keys into a created container. Suspends.
---@param execution exhost.Execution
---@return true? ok, string? err, string? code, table? data
function provision.copy(api, id, execution)
  local request, story = execution.request, execution.event
  local scripts, keys = request.provision_scripts, request.keys
  if scripts and next(scripts) then
    local ok, err, code, data = put(api, id, script_entries(scripts), story)
    if not ok then return nil, "copy provision scripts: " .. err, code, data end
  end
  if keys and #keys > 0 then
    local user, err = find_user(api, id, request.engine_spec.params.user)
    if not user then return nil, err, "invalid" end
    local ok, why, code, data = put(api, id, key_entries(keys, user), story)
    if not ok then return nil, "copy keys: " .. why, code, data end
  end
  return true
end

return provision
