--- What `engine_spec.params` may hold for a container.

local parts = require "exhost.request.params"
local reference = require "backends.docker.reference"
local text = require "exhost.text"

local function image(value)
  local ok, err = reference.parse(value)
  if not ok then return nil, err end
  return value
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

local optional = parts.optional

local SECRET = { type = "string", absent = "", secret = true }

--- A name or a password alone would be nobody's.
local function both(auth)
  if auth.username and not auth.password and not auth.identitytoken then
    return nil, "username is given without password: give both or neither"
  end
  if auth.password and not auth.username then
    return nil, "password is given without username: give both or neither"
  end
  return auth
end

return {
  type = "record", check = both,
  fields = {
    image = { type = "string", required = true, no_nul = true, check = image,
      doc = "name[:tag][@digest], or an id" },
    entrypoint = words "replaces the image's own; empty: the image's",
    cmd = words "replaces the image's own; empty: the image's",
    environment = parts.environment(),
    working_directory = optional { check = parts.absolute },
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
    registry_auth = { type = "record", check = both, fields = {
      username = optional(), password = SECRET,
      serveraddress = optional(), identitytoken = SECRET },
      doc = "for the image's registry" },
  },
}
