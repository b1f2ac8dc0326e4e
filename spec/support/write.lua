--- Write a file of a spec's own, over what was there.
---@param path string
---@param content string
return function(path, content)
  local file = assert(io.open(path, "wb"))
  file:write(content)
  file:close()
end
