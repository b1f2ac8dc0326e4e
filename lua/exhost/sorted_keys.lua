--- The keys of a table in order, so that what is made of it is the same each time.
---@param t table<string, any>? nil: none
---@return string[] keys
return function(t)
  local keys = {}
  for key in pairs(t or {}) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end
