--- What `engine_spec.params` may hold for a process.
local parts = require "exhost.request.params"
local text = require "exhost.text"

local MAX_STRING = 131071          -- Linux: MAX_ARG_STRLEN, 32 pages, less the NUL
local MAX_TOTAL = 2 * 1024 * 1024  -- a quarter of the usual stack, for argv and environment
local PER_STRING = 9               -- the NUL, and the pointer to it
local MAX_ID = 2 ^ 32 - 2          -- the id after it means "leave as it is"

local RLIMITS = {
  "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc",
  "rss", "rtprio", "rttime", "sigpending", "stack",
}

local function word(value)
  if #value > MAX_STRING then
    return nil, string.format("%d bytes are above the limit of %d for one word", #value, MAX_STRING)
  end
  return value
end

--- The value may be a secret, so it is not shown.
local function short_enough(entry)
  if #entry > MAX_STRING then
    return nil, string.format("%d bytes are above the limit of %d for one entry", #entry,
      MAX_STRING)
  end
  return entry
end

local function is_name_or_id(part)
  if part:find("^%d+$") then return #part <= 10 and tonumber(part) <= MAX_ID end
  return part:find("^[^%s%c:/-][^%s%c:/]*$") ~= nil
end

local function user(value)
  local name, group = value:match("^([^:]+):([^:]+)$")
  if not is_name_or_id(name or value) or group and not is_name_or_id(group) then
    return nil, 'expected "name", "uid", "name:group" or "uid:gid", got ' .. text.quote(value)
  end
  return value
end

local function limit_number(value)
  return type(value) == "number" and value >= 0 and value == math.floor(value)
end

--- One number is both limits.
local function rlimit(value)
  if limit_number(value) then value = { soft = value, hard = value } end
  local fits = type(value) == "table" and limit_number(value.soft) and limit_number(value.hard)
  if not fits then return nil, "expected a whole number, or { soft, hard } of them" end
  for key in pairs(value) do
    if key ~= "soft" and key ~= "hard" then
      return nil, "unknown field " .. text.quote(tostring(key))
    end
  end
  if value.soft > value.hard then return nil, "the soft limit is above the hard one" end
  return value
end

local function known_rlimits(limits)
  local known = {}
  for _, name in ipairs(RLIMITS) do known[name] = true end
  local unknown = {}
  for name in pairs(limits) do
    if not known[name] then unknown[#unknown + 1] = name end
  end
  if #unknown == 0 then return limits end
  table.sort(unknown)
  return nil, string.format("unknown limit %s; known are %s", text.quote(unknown[1]),
    table.concat(RLIMITS, ", "))
end

--- Check what only the whole command line tells.
local function whole(params)
  local first, total = nil, 0
  for _, list in ipairs { params.entrypoint or {}, params.cmd or {}, params.environment or {} } do
    if list ~= params.environment then first = first or list[1] end
    for _, item in ipairs(list) do total = total + #item + PER_STRING end
  end
  if not first then return nil, "nothing to run: entrypoint and cmd are empty" end
  if first == "" then return nil, "nothing to run: the first word of the command is empty" end
  if total > MAX_TOTAL then
    return nil, string.format("command line and environment take %d bytes, above the limit of %d",
      total, MAX_TOTAL)
  end
  return params
end

local function words(doc)
  return { type = "list", of = { type = "string", no_nul = true, check = word }, doc = doc }
end

return {
  type = "record",
  check = whole,
  fields = {
    entrypoint = words "the first words of the command line",
    cmd = words "the words after them",
    environment = parts.environment(short_enough),
    working_directory = { type = "string", absent = "", no_nul = true, check = parts.absolute },
    user = { type = "string", absent = "", no_nul = true, check = user,
      doc = '"name", "uid", "name:group" or "uid:gid"' },
    rlimits = { type = "map", of = { type = "any", check = rlimit }, check = known_rlimits,
      doc = "by name (nofile, core, …): a number, or { soft, hard }" },
    pids = { type = "integer", min = 1, doc = "the most tasks at a time" },
  },
}
