--- Holds the shapes against an engine's description of its own API (Swagger 2.0, JSON): what they
-- name is there, with the same type, and what is required there is always sent. Only as much of
-- such files is read as that takes.

local check = require "support.shapes.check"
local json = require "exhost.json"

local published = {}

-- A time is a number of seconds to one call and text to another.
local TYPES = { bool = { boolean = true }, int = { integer = true },
  time = { integer = true, string = true } }
local TEXT = { string = true }

--- A definition without references, its parts put together: type, properties, required, …
local function whole(api, definition)
  local name = definition["$ref"]
  if name then return whole(api, api.definitions[name:match("^#/definitions/(.+)$")]) end
  if not definition.allOf then return definition end
  local sum = { properties = {}, required = {} }
  for _, part in ipairs(definition.allOf) do
    part = whole(api, part)
    sum.type = sum.type or part.type
    for key, value in pairs(part.properties or {}) do sum.properties[key] = value end
    for _, key in ipairs(part.required or {}) do table.insert(sum.required, key) end
  end
  return sum
end

--- Whether a form is known in this version; tells where the file disagrees. `there`: it has it.
local function is_known(form, path, there, note, version)
  local known = check.known(form, version)
  if not known and there then note(path .. ": is there in " .. version .. " already") end
  if known and not there then note(path .. ": is not there") end
  return known and there and known
end

local function required(names, must, path, note)
  local always = {}
  for _, name in ipairs(must or {}) do always[name] = true end
  for _, name in ipairs(names or {}) do
    if not always[name] then note(path .. "." .. name .. ": is required there") end
  end
end

local function compare(api, form, definition, path, note)
  local there = whole(api, definition)
  if type(form) ~= "table" then
    if there.type ~= form then note(path .. ": is of type " .. tostring(there.type)) end
    return
  end
  local wanted = form.list and "array" or "object"
  if there.type ~= wanted then return note(path .. ": is of type " .. tostring(there.type)) end
  if form.list then return compare(api, form.list, there.items, path .. "[]", note) end
  if form.map then
    if not there.additionalProperties then return note(path .. ": has no names of one's own") end
    return compare(api, form.map, there.additionalProperties, path .. ".*", note)
  end
  required(there.required, form.must, path, note)
  for name, inner in pairs(form.record) do
    local property = (there.properties or {})[name]
    local known = is_known(inner, path .. "." .. name, property, note, api.version)
    if known then compare(api, known, property, path .. "." .. name, note) end
  end
end

local function compare_parameter(kind, parameter, path, note)
  if type(kind) == "table" then -- whose names only the words tell
    for name in pairs(kind.filters) do
      if not parameter.description:find("`" .. name .. "=", 1, true) then
        note(path .. "." .. name .. ": is not there")
      end
    end
  end
  local types = type(kind) == "string" and TYPES[kind] or TEXT
  if not types[parameter.type] then note(path .. ": is of type " .. parameter.type) end
end

local function compare_parameters(shape, operation, note, version)
  local there, needed = { query = {}, header = {}, body = {} }, {}
  for _, parameter in ipairs(operation.parameters or {}) do
    local place = there[parameter["in"]]
    if place then place[parameter.name] = parameter end
    if parameter["in"] == "query" and parameter.required then
      needed[#needed + 1] = parameter.name
    end
  end
  required(needed, shape.must, shape[1], note)
  for place, kinds in pairs { query = shape.query or {}, header = shape.headers or {} } do
    for name, kind in pairs(kinds) do
      local path = shape[1] .. " " .. name
      local known = is_known(kind, path, there[place][name], note, version)
      if known then compare_parameter(known, there[place][name], path, note) end
    end
  end
  return select(2, next(there.body))
end

local function compare_body(api, shape, body, note)
  if shape.body and not body or shape.type and not body then note(shape[1] .. ": has no body") end
  if not shape.body and not shape.type and body and body.required then
    note(shape[1] .. ": requires a body")
  end
  if shape.body and body then compare(api, shape.body, body.schema, shape[1] .. " body", note) end
  if shape.type and body and body.schema.format ~= "binary" then
    note(shape[1] .. ": has no bytes as its body")
  end
end

--- What differs between the shapes and a description of an engine's API.
---@param shapes table[] docker.lua
---@param text string the description
---@return string[] differences sorted; empty: none
function published.differences(shapes, text)
  local api = assert(json.decode(text))
  api.version = api.info.version
  local found = {}
  local function note(words) found[#found + 1] = words end
  for _, shape in ipairs(shapes) do
    local method, path = shape[1]:match("^(%u+) (.*)$")
    local operation = (api.paths[path] or {})[method:lower()]
    if operation then
      compare_body(api, shape, compare_parameters(shape, operation, note, api.version), note)
    else
      note(shape[1] .. ": is not there")
    end
  end
  table.sort(found)
  return found
end

return published
