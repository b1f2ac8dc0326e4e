--- Holds requests against the shapes of docker.lua. Used by specs and, in a program of its own, by
-- the fake engine.
--
-- Kinds of what stands in a query or a header: bool, int, string, signal, time, condition, auth,
-- or { filters = names }. Forms of a body: string, integer, boolean, { list = form },
-- { map = form }, { record = forms by name, must = names }. { from = version, form = either }
-- anywhere.

local json = require "exhost.json"

local check = {}

local KINDS = {
  bool = { "^[01]$", "^true$", "^false$" },
  int = { "^%-?%d+$" },
  string = { "." },
  signal = { "^%d%d?$", "^SIG[%u%d+-]+$", "^KILL$" },
  time = { "^%d+$", "^%d+%.%d%d%d%d%d%d%d%d%d$" }, -- seconds; engines take nanoseconds with them
  condition = { "^not%-running$", "^next%-exit$", "^removed$" },
  auth = { "^[%w_-]+=*$" }, -- base64url
}

local function number(version)
  local major, minor = version:match("^(%d+)%.(%d+)$")
  return major * 1000 + minor
end

--- What a form or a kind is in this version; nil, and why, where it is not known there.
---@param version string
function check.known(form, version)
  if type(form) ~= "table" or not form.from then return form end
  if number(version) >= number(form.from) then return form.form end
  return nil, "is known to engines from API " .. form.from .. " on, this is " .. version
end

local form_of

local function each_item(of, value, path, version)
  if #value == 0 and not json.is_array(value) then
    return path .. ": expected a list, got an object"
  end
  for i, item in ipairs(value) do
    local wrong = form_of(of, item, string.format("%s[%d]", path, i), version)
    if wrong then return wrong end
  end
end

local function each_field(shape, value, path, version)
  if #value > 0 or json.is_array(value) then return path .. ": expected an object, got a list" end
  for _, name in ipairs(shape.must or {}) do
    if value[name] == nil then return path .. "." .. name .. ": required, but not there" end
  end
  for name, item in pairs(value) do
    local inner = path .. "." .. name
    local form = shape.map or shape.record[name]
    if form == nil then return inner .. ": is not in the shape" end
    local known, why = check.known(form, version)
    if not known then return inner .. ": " .. why end
    local wrong = form_of(known, item, inner, version)
    if wrong then return wrong end
  end
end

--- What is wrong with a value, or nil.
function form_of(form, value, path, version)
  local got = type(value)
  if type(form) == "table" then
    if got ~= "table" then
      return string.format("%s: expected %s, got a %s", path, form.list and "a list" or "an object",
        got)
    end
    if form.list then return each_item(form.list, value, path, version) end
    return each_field(form, value, path, version)
  end
  local fits = got == form or form == "integer" and got == "number" and value % 1 == 0
  if not fits then return string.format("%s: expected %s, got %s", path, form, got) end
end

--- Go reads no integer from 1e9 or 1.0.
local function has_fractions(text)
  return text:gsub("\\.", ""):gsub('"[^"]*"', '""'):find("%d[.eE]") ~= nil
end

local function body_of(shape, type_, body, version)
  local wanted = shape.type or shape.body and "application/json"
  if not wanted then return body ~= "" and "has a body that is not in the shape" or nil end
  if body == "" then return "has no body" end
  if type_ ~= wanted then
    return string.format("Content-Type: expected %s, got %s", wanted, tostring(type_))
  end
  if shape.type then return nil end
  local value, err = json.decode_marked(body)
  if value == nil then return "body: " .. err end
  if has_fractions(body) then return "body: a number that is written as no integer" end
  return form_of(shape.body, value, "body", version)
end

local function filters_of(known, text)
  local value = json.decode_marked(text)
  if type(value) ~= "table" or #value > 0 then return "expected JSON of lists by name" end
  for name, list in pairs(value) do
    if not known[name] then return name .. " is not in the shape" end
    local wrong = form_of({ list = "string" }, list, name)
    if wrong then return wrong end
  end
end

local function kind_of(kind, text)
  if type(kind) == "table" then return filters_of(kind.filters, text) end
  for _, pattern in ipairs(KINDS[kind]) do
    if text:find(pattern) then return nil end
  end
  return string.format("expected %s, got %q", kind, text)
end

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function query_of(shape, query, version)
  local seen = {}
  for part in query:gmatch("[^&]+") do
    local name, text = part:match("^([%w_.-]+)=([%w._~%%-]*)$")
    if not name then return "query: not escaped, or without a value: " .. part end
    if seen[name] then return "query." .. name .. ": is there twice" end
    seen[name] = true
    local kind = shape.query and shape.query[name]
    if not kind then return "query." .. name .. ": is not in the shape" end
    local known, why = check.known(kind, version)
    local wrong = known and kind_of(known, unescape(text)) or why
    if wrong then return "query." .. name .. ": " .. wrong end
  end
  for _, name in ipairs(shape.must or {}) do
    if not seen[name] then return "query." .. name .. ": required, but not there" end
  end
end

--- Those that say something of their own; the others are HTTP's.
local function headers_of(shape, headers)
  for name, text in pairs(headers) do
    if name:find("^[Xx]%-") then
      local kind = shape.headers and shape.headers[name]
      if not kind then return name .. ": is not in the shape" end
      local wrong = kind_of(kind, text)
      if wrong then return name .. ": " .. wrong end
    end
  end
end

--- The shape of a request, and what stands for its names.
local function find(shapes, method, path, versioned)
  for _, shape in ipairs(shapes) do
    local own, template = shape[1]:match("^(%u+) (.*)$")
    local pattern = "^" .. template:gsub("{%w+}", shape.slashes and "(.+)" or "([^/]+)") .. "$"
    local named = own == method and versioned == not shape.unversioned and path:match(pattern)
    if named then return shape, named end
  end
end

--- The headers of a request's head, by their names as they were sent.
local function headers_in(head)
  local found = {}
  for name, text in head:gmatch("\r\n([^:\r\n]+): *([^\r\n]*)") do found[name] = text end
  return found
end

--- Hold a request against the shapes.
---@param shapes table[] docker.lua
---@param request { method: string, target: string, head: string?, body: string? } target: path and
--- query as sent; head: all up to the empty line
---@return true? ok, string? err begins with the method and the path
function check.request(shapes, request)
  local version, path, query = request.target:match("^/v(%d+%.%d+)(/[^?]*)%??(.*)$")
  if not version then path, query = request.target:match("^(/[^?]*)%??(.*)$") end
  local function fails(why)
    return nil, string.format("%s %s: %s", request.method, path or request.target, why)
  end
  local shape, named = find(shapes, request.method, path or "", version ~= nil)
  if not shape then return fails "no such request is in the shapes" end
  if named ~= path and not unescape(named):find("^%w[%w_.:/@-]*$") then
    return fails("no name or id: " .. named)
  end
  local headers = headers_in(request.head or "")
  local wrong = query_of(shape, query, version) or headers_of(shape, headers)
    or body_of(shape, headers["Content-Type"], request.body or "", version)
  if wrong then return fails(wrong) end
  return true
end

return check
