--- The operator's ceiling, as settings hold it: what no request and no policy may go beyond. A
--- restriction that is misspelt, or of another type, would restrict nothing, so it is refused.

local text = require "exhost.text"

local MOST_ID = 2 ^ 32 - 1

local function flag(doc)
  return { type = "boolean", doc = doc }
end

--- A list of what is granted, or the word for everything.
local function granted(doc, pattern, expected)
  return { type = "list", all = true, doc = doc,
    of = { type = "string", pattern = pattern, expected = expected, no_nul = true } }
end

--- Nothing is below a folder that is written otherwise.
local function absolute(path)
  if path:find("^/") and not (path .. "/"):find("/../", 1, true) then return path end
  return nil, "expected an absolute path without .., got " .. text.quote(path)
end

local function paths(doc)
  return { type = "list", all = true, doc = doc,
    of = { type = "string", no_nul = true, check = absolute } }
end

--- A user is known by number, also as text, or by name; "name:group" would be nobody's.
local function user(entry)
  if type(entry) == "string" and entry:find("^%d+$") then entry = tonumber(entry) end
  local known = type(entry) == "number" and entry >= 0 and entry <= MOST_ID and entry % 1 == 0
    or type(entry) == "string" and entry:find("^[^%s%c:+-][^%s%c:]*$")
  if known then return entry end
  local got = type(entry) == "string" and text.quote(entry)
    or type(entry) == "number" and string.format("%.14g", entry) or "a " .. type(entry)
  return nil, "expected the name of a user or a number, got " .. got
end

return {
  type = "record",
  doc = "what no policy may go beyond",
  fields = {
    memory = { type = "size", above = 0, doc = "the most memory of a job, swap included" },
    cores = { type = "number", above = 0, doc = "the most processors, also parts of one" },
    pids = { type = "integer", min = 1, doc = "the most tasks at a time" },
    users = { type = "record", doc = "who a job may not be", fields = {
      deny = { type = "list", of = { type = "any", check = user },
        doc = "names and numbers of users" } } },
    binds = paths "folders of this machine that may be given to a job",
    devices = paths "device nodes, also by the folder that they are in",
    privileged = flag "containers may be privileged",
    capabilities = granted("capabilities beyond the usual ones", "^%a[%w_]*$",
      'a capability such as "NET_ADMIN"'),
    namespaces = granted('namespaces beyond a job\'s own: "host", "container:NAME"',
      "^%a[%w_.:/-]*$", 'a mode such as "host"'),
    networks = granted("the only networks", "^%w[%w_.:/-]*$", "the name of a network"),
    runtimes = granted("runtimes beside the usual one", "^%w[%w_./-]*$", "the name of a runtime"),
    sysctls = granted("kernel parameters", "^%w[%w_./-]*$", "the name of a kernel parameter"),
    security_opt = granted("security options", "^%a[%w_-]*", "a security option"),
  },
}
