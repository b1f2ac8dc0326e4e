--- What a shell command prints, for specs that need it at once: nothing else runs meanwhile.
---@param command string
---@return string
return function(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end
