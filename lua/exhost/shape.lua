--- Contracts as data: is this table what we were promised?

local shape = {}

--- Check a table against { field = "type" | "type?" | {types…} }. Unknown fields are
--- errors too, since they are mostly misspelt known ones.
---@return table? value, string? err
function shape.check(what, value, contract)
  if type(value) ~= "table" then
    return nil, string.format("%s: expected a table, got %s", what, type(value))
  end
  for field, expected in pairs(contract) do
    local optional = expected:sub(-1) == "?"
    local kind = optional and expected:sub(1, -2) or expected
    local got = type(value[field])
    if got ~= kind and not (optional and got == "nil") then
      return nil, string.format("%s.%s: expected %s, got %s", what, field, kind, got)
    end
  end
  for field in pairs(value) do
    if contract[field] == nil then
      return nil, string.format("%s.%s: unknown field", what, tostring(field))
    end
  end
  return value
end

return shape
