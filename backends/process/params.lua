--- The process backend's own part of a request.

-- The kernel's MAX_ARG_STRLEN less its NUL, and the usual ARG_MAX.
local schema_limits = { arg = 131071, total = 2 * 1024 * 1024 }

local function word_list(doc)
  return { type = "list", doc = doc,
    of = { type = "string", max_length = schema_limits.arg } }
end

--- One "K=V"; the key may hold anything but "=" and NUL, as execve(2) takes it.
local function variable(value)
  local at = value:find("=", 1, true)
  if not at then return nil, "expected NAME=VALUE" end
  if at == 1 then return nil, "expected a name before the =" end
  return value
end

--- Of several values for one name the last counts, at the place of the first.
local function last_wins(list)
  local at, out = {}, setmetatable({}, getmetatable(list))
  for _, entry in ipairs(list) do
    local key = entry:match("^([^=]*)=")
    at[key] = at[key] or #out + 1
    out[at[key]] = entry
  end
  return out
end

local RLIMITS = { as = true, core = true, cpu = true, data = true, fsize = true, locks = true,
  memlock = true, msgqueue = true, nice = true, nofile = true, nproc = true, rss = true,
  rtprio = true, rttime = true, sigpending = true, stack = true }

local function is_count(value)
  return type(value) == "number" and value >= 0 and value == math.floor(value) and value <= 2 ^ 53
end

local function rlimits(map)
  for name, limit in pairs(map) do
    if not RLIMITS[name] then return nil, string.format("unknown resource %q", name) end
    local pair = type(limit) == "table" and limit or { soft = limit, hard = limit }
    if not is_count(pair.soft) or not is_count(pair.hard) or pair.soft > pair.hard then
      return nil, name .. ": expected a whole number, or {soft, hard} with soft not above hard"
    end
  end
  return map
end

local function command(params)
  local total, count, first = 0, 0, nil
  for _, list in ipairs { params.entrypoint or {}, params.cmd or {} } do
    for _, word in ipairs(list) do
      first = first or word
      count, total = count + 1, total + #word + 1
    end
  end
  if count == 0 then return nil, "@engine_spec.params.cmd: expected at least one word to run" end
  if first == "" then return nil, "@engine_spec.params.cmd: the program's name is empty" end
  for _, entry in ipairs(params.environment or {}) do total = total + #entry + 1 end
  if total > schema_limits.total then
    return nil, string.format("arguments and environment are %d bytes, the limit is %d", total,
      schema_limits.total)
  end
  return params
end

return {
  type = "record", check = command, fields = {
    entrypoint = word_list("the first words of the command"),
    cmd = word_list("the words after them"),
    environment = { type = "list", check = last_wins, doc = "variables as NAME=VALUE",
      of = { type = "string", max_length = schema_limits.arg, check = variable } },
    working_directory = { type = "string", pattern = "^/", what = "an absolute path" },
    user = { type = "string", not_empty = true, doc = "name, uid, name:group or uid:gid",
      pattern = "^[^:]+:?[^:]*$", what = "user or user:group" },
    rlimits = { type = "map", of = { type = "any" }, check = rlimits,
      doc = "such as {nofile = 1024, core = {soft = 0, hard = 0}}" },
    pids = { type = "integer", min = 1, doc = "most processes and threads" },
  },
}
