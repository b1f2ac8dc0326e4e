--- Runs inside exhost-policy (bindings/policy_worker.c): loads one policy and calls it.
--
-- The process is the jail; what is taken away here only makes errors clearer. Answers are
-- one line of JSON: { ok = … } or { error = "file:line: why" }.

local cjson = _G.cjson
local getinfo, loadstring, setfenv, pcall, error, type = debug.getinfo, loadstring, setfenv, pcall,
  error, type
local pairs, ipairs, tostring, setmetatable, select, rawget, next = pairs, ipairs, tostring,
  setmetatable, select, rawget, next
local collectgarbage = collectgarbage
local concat, insert, format, rep = table.concat, table.insert, string.format, string.rep
local find = string.find

local REST_STEP = 24 -- kB, about what a call leaves
local MOST_PRINT, MOST_DEPTH, MOST_ANSWER = 4096, 16, 256 * 1024
cjson.encode_max_depth(MOST_DEPTH * 2)
cjson.decode_max_depth(64)

local policy, printed
local BYTECODE = 27

-- Of the real table, which is every string's metatable's.
rawset(string, "dump", nil)
rawset(string, "rep", function(s, n, sep)
  if type(n) == "number" and type(s) == "string" and #s * n > MOST_ANSWER then
    error("string.rep: the result is too long", 2)
  end
  return rep(s, n, sep)
end)

--- What a policy raised or answered, as text. Not by tostring: a metatable's would be code that
--- runs outside of the limits.
local function said(value)
  local kind = type(value)
  if kind == "string" or kind == "number" then return tostring(value):sub(1, MOST_PRINT) end
  return "an error that is a " .. kind
end

-- What remains of the globals.
local function sandbox()
  local env = {}
  for _, name in ipairs { "assert", "error", "ipairs", "next", "pairs", "pcall", "select",
    "tonumber", "tostring", "type", "unpack", "xpcall", "rawequal", "rawget", "setmetatable" } do
    env[name] = _G[name]
  end
  for _, name in ipairs { "string", "table", "math", "bit" } do
    local copy = {}
    for key, value in pairs(_G[name]) do copy[key] = value end
    env[name] = copy
  end
  env._G = env
  env.print = function(...)
    local words = {}
    for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))) end
    local text = concat(words, "\t")
    if printed and #printed < 64 then insert(printed, text:sub(1, MOST_PRINT)) end
  end
  return env
end

local function load_chunk(source, name, env)
  if source:byte(1) == BYTECODE then error(name .. ": bytecode is not loaded", 0) end
  local chunk, err = loadstring(source, "=" .. name)
  if not chunk then error(err, 0) end
  return setfenv(chunk, env)
end

--- A copy without metatables, functions and cycles.
local function plain(value, depth)
  local kind = type(value)
  if kind == "string" or kind == "boolean" then return value end
  if kind == "number" then
    if value ~= value or value == 1 / 0 or value == -1 / 0 then error("not a finite number", 0) end
    return value
  end
  if kind ~= "table" then error("a " .. kind .. " cannot be given to the engine", 0) end
  if depth > MOST_DEPTH then error("nested too deeply, or a table that holds itself", 0) end
  local copy, numbers, names = {}, 0, 0
  for key, item in next, value do
    if type(key) == "number" then
      numbers = numbers + 1
    elseif type(key) == "string" then
      names = names + 1
    else
      error("a key is a " .. type(key), 0)
    end
    copy[key] = plain(item, depth + 1)
  end
  if numbers > 0 and names > 0 then error("a table is both a list and an object", 0) end
  for i = 1, numbers do
    if copy[i] == nil then error("a list has holes", 0) end
  end
  return copy
end

--- Where the policy is now: the first level that is not ours.
local function place()
  for level = 3, 10 do
    local info = getinfo(level, "Sl")
    if not info then break end
    if info.currentline > 0 and info.source:sub(1, 1) == "=" then
      return info.short_src .. ":" .. info.currentline
    end
  end
  return "?"
end

local function is_list(value)
  return type(value) == "table" and (#value > 0 or next(value) == nil)
end

local function equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do if not equal(value, b[key]) then return false end end
  for key in pairs(b) do if a[key] == nil then return false end end
  return true
end

--- The recording proxy: lists append, a scalar is set once.
local function recorder()
  local values, origin, log = {}, {}, {}
  local function set(_, key, value)
    if type(key) ~= "string" then error("a field's name is a string", 2) end
    local at = place()
    local ok, copy = pcall(plain, value, 1)
    if not ok then error(key .. ": " .. said(copy), 2) end
    local before = values[key]
    if before ~= nil and is_list(before) and is_list(copy) then
      for _, item in ipairs(copy) do insert(before, plain(item, 1)) end
    elseif before ~= nil and not equal(before, copy) then
      error(format("%s is set to two different values, at %s and at %s", key, origin[key], at), 2)
    else
      values[key] = copy
    end
    origin[key] = origin[key] or at
    insert(log, { field = key, value = plain(copy, 1), at = at, list = is_list(copy) or nil })
  end
  return setmetatable({}, { __newindex = set, __metatable = "config",
    __index = function(_, key)
      local value = rawget(values, key)
      return type(value) == "table" and plain(value, 1) or value
    end }), log
end

local function respond(value)
  local ok, text = pcall(cjson.encode, value)
  if not ok then
    text = cjson.encode { error = "the answer cannot be encoded: " .. tostring(text) }
  end
  if #text > MOST_ANSWER then
    text = cjson.encode { error = "the answer is longer than " .. MOST_ANSWER .. " bytes" }
  end
  return text
end

--- A policy assigns. What it answers is nothing, true, what it was given, or nil and a reason.
---@return string? why it refuses
local function ask(name, asked, into)
  local answer, why = policy[name](asked.request, asked.host, into)
  if answer == nil and why ~= nil then return said(why) end
  if answer ~= nil and answer ~= true and not rawequal(answer, into) then
    error(format("%s.lua: %s answers a %s: assign to its third argument instead (or return nil and "
      .. "a reason to refuse)", policy.name, name, type(answer)), 0)
  end
end

local function decide(asked)
  local config, log = recorder()
  local env, env_log = recorder()
  local why = policy.host_config and ask("host_config", asked, config)
    or policy.env and ask("env", asked, env)
  if why then return { refused = why } end
  return { config = log, env = env_log }
end

local function same_config(log, expect)
  local got = {}
  for _, entry in ipairs(log) do
    if got[entry.field] and entry.list then
      for _, item in ipairs(entry.value) do insert(got[entry.field], item) end
    else
      got[entry.field] = plain(entry.value, 1)
    end
  end
  for field, value in pairs(expect) do
    if not equal(got[field], value) then return field end
  end
end

local function run_examples()
  for i, example in ipairs(policy.examples or {}) do
    local done = decide { request = example.request or {}, host = example.host or {} }
    if example.refused then
      if not done.refused then error(format("example %d is not refused", i), 0) end
    elseif done.refused then
      error(format("example %d is refused: %s", i, done.refused), 0)
    else
      local wrong = same_config(done.config, example.expect or {})
        or same_config(done.env, example.expect_env or {})
      if wrong then error(format("example %d: %s differs", i, wrong), 0) end
    end
  end
end

local MAX_LABEL = 64
local KNOWN = { name = "string", version = "string", pci_vendor = "number", vendor = "string",
  host_config = "function", env = "function", examples = "table", proc = "string", node = "string",
  topology = "string" }

local function check_shape()
  if type(policy) ~= "table" then error("a policy answers a table", 0) end
  for key, value in pairs(policy) do
    if not KNOWN[key] then error("unknown field " .. tostring(key), 0) end
    if type(value) ~= KNOWN[key] then
      error(format("%s: expected a %s, got a %s", key, KNOWN[key], type(value)), 0)
    end
  end
  for _, key in ipairs { "name", "version" } do
    if policy[key] == nil then error(key .. " is missing", 0) end
  end
  for _, key in ipairs { "name", "version", "vendor" } do -- they stand in tables and labels
    local value = policy[key]
    if value and (#value > MAX_LABEL or not find(value, "^[!-~][ -~]*$")) then
      error(format("%s: expected 1 to %d printable ASCII characters", key, MAX_LABEL), 0)
    end
  end
end

--- A copy of what was decoded: a policy may do with it as it likes.
local function copy(value)
  local made = {}
  for key, item in next, value do
    made[key] = type(item) == "table" and copy(item) or item
  end
  return made
end

local driver = {}
local machine, given = {}, nil -- what was told, and a copy for the next call

--- { name, source, modules = { NAME = source } } → what the policy says of itself.
function driver.load(text)
  printed = {}
  local asked = cjson.decode(text)
  local ok, err = pcall(function()
    local env, loaded = sandbox(), {}
    env.require = function(name)
      local source = asked.modules[name]
      if not source then error("no file " .. tostring(name) .. ".lua beside the policy", 2) end
      if loaded[name] == nil then
        loaded[name] = load_chunk(source, name .. ".lua", env)(name) or true
      end
      return loaded[name]
    end
    policy = load_chunk(asked.source, asked.name .. ".lua", env)(asked.name)
    check_shape()
    run_examples()
  end)
  if not ok then return respond { error = said(err), printed = printed } end
  return respond { ok = { name = policy.name, version = policy.version, vendor = policy.vendor,
    pci_vendor = policy.pci_vendor, proc = policy.proc, node = policy.node,
    topology = policy.topology, examples = #(policy.examples or {}) }, printed = printed }
end

--- { request, host } → { config, env } as lists of { field, value, at }, or { refused }. Without
--- `host` the machine is as it was told before.
function driver.call(text)
  printed = {}
  local asked = cjson.decode(text)
  if asked.host then machine, given = asked.host, nil end
  local ok, result = pcall(function()
    asked.host, given = given or copy(machine), nil
    return decide(asked)
  end)
  if not ok then return respond { error = said(result), printed = printed } end
  return respond { ok = result, printed = printed }
end

--- Between calls: what the next one would have to wait for.
function driver.rest()
  given = given or copy(machine)
  collectgarbage("step", REST_STEP)
end

return driver
