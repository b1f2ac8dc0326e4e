--- Parts of schemas that a request and the params of several backends have.

local json = require "exhost.json"
local text = require "exhost.text"

local params = {}

--- One KEY=VALUE. The value may be a secret, so it is not shown.
local function variable(entry)
  if not entry:find("^[^=]+=") then
    return nil, "expected KEY=VALUE" .. (entry:find("=", 1, true) and ", got an empty key" or "")
  end
  return entry
end

--- Of entries with one key the last stays, where it is.
local function last_of_each(entries)
  local last, kept = {}, json.array {}
  for i, entry in ipairs(entries) do last[entry:match("^[^=]+")] = i end
  for i, entry in ipairs(entries) do
    if last[entry:match("^[^=]+")] == i then kept[#kept + 1] = entry end
  end
  return kept
end

--- A string that may be left out, or be empty, which is the same.
---@param extra table? more of its schema
function params.optional(extra)
  local spec = { type = "string", absent = "", no_nul = true }
  for key, value in pairs(extra or {}) do spec[key] = value end
  return spec
end

--- A list of KEY=VALUE.
---@param check? fun(entry: string): string?, string? what else an entry must be
function params.environment(check)
  return {
    type = "list",
    of = { type = "string", no_nul = true, check = function(entry)
      local ok, err = variable(entry)
      if not ok or not check then return ok, err end
      return check(entry)
    end },
    check = last_of_each,
    doc = "KEY=VALUE; of entries with one key the last counts",
  }
end

--- Check of a path that means the same to everybody.
function params.absolute(path)
  if path:sub(1, 1) ~= "/" then
    return nil, "expected an absolute path, got " .. text.quote(path)
  end
  return path
end

return params
