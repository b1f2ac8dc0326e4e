--- What `engine_spec.params` may hold for a container.

local reference = require "backends.docker.reference"
local text = require "exhost.text"

local function image(value)
  local parts, err = reference.parse(value)
  if not parts then return nil, err end
  return value
end

--- The value may be a secret, so it is not shown.
local function variable(entry)
  if not entry:find("^[^=]+=") then
    return nil, "expected KEY=VALUE" .. (entry:find("=", 1, true) and ", got an empty key" or "")
  end
  return entry
end

--- Of entries with one key the last stays, where it is.
local function last_of_each(entries)
  local last, kept = {}, {}
  for i, entry in ipairs(entries) do last[entry:match("^[^=]+")] = i end
  for i, entry in ipairs(entries) do
    if last[entry:match("^[^=]+")] == i then kept[#kept + 1] = entry end
  end
  return require("exhost.json").array(kept)
end

local function directory(path)
  if path:sub(1, 1) ~= "/" then
    return nil, "expected an absolute path, got " .. text.quote(path)
  end
  return path
end

local function user(value)
  if not value:find("^[%w_][%w_.@-]*:?[%w_.@-]*$") then
    return nil, 'expected "name", "uid", "name:group" or "uid:gid", got ' .. text.quote(value)
  end
  return value
end

local function words(doc)
  return { type = "list", of = { type = "string", no_nul = true }, doc = doc }
end

local function optional(extra)
  local spec = { type = "string", absent = "", no_nul = true }
  for key, value in pairs(extra or {}) do spec[key] = value end
  return spec
end

local SECRET = { type = "string", absent = "", secret = true }

return {
  type = "record",
  fields = {
    image = { type = "string", required = true, no_nul = true, check = image,
      doc = "name[:tag][@digest], or an id" },
    entrypoint = words "replaces the image's own; empty: the image's",
    cmd = words "replaces the image's own; empty: the image's",
    environment = { type = "list", of = { type = "string", no_nul = true, check = variable },
      check = last_of_each, doc = "KEY=VALUE; of entries with one key the last counts" },
    working_directory = optional { check = directory },
    user = optional { check = user },
    privileged = { type = "boolean", doc = "needs the operator's ceiling to allow it" },
    restart_policy = { type = "enum", values = { "no", "on-failure", "always", "unless-stopped" },
      absent = "" },
    tty = { type = "boolean", doc = "a terminal: stdout and stderr are one" },
    init = { type = "boolean", doc = "a small init as the first process" },
    network = optional { pattern = "^[A-Za-z0-9][A-Za-z0-9_.:-]*$", max_length = 128,
      expected = "the name of a network, bridge or none" },
    pids = { type = "integer", min = 1, doc = "the most tasks at a time" },
    platform = optional { pattern = "^[a-z0-9]+/[a-z0-9_]+/?[a-z0-9]*$",
      expected = "os/architecture" },
    username = optional(), password = SECRET,
    registry_auth = { type = "record", fields = { username = optional(), password = SECRET,
      serveraddress = optional(), identitytoken = SECRET },
      doc = "for the image's registry" },
  },
}
