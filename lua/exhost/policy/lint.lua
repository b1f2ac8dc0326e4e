--- What luacheck says of a policy, where it is installed.

local capture = require "exhost.capture"

local SECONDS = 10

--- What a policy may use (lua/exhost/policy/driver.lua).
local GLOBALS = { "assert", "error", "ipairs", "next", "pairs", "pcall", "select", "tonumber",
  "tostring", "type", "unpack", "xpcall", "rawequal", "rawget", "setmetatable", "string", "table",
  "math", "bit", "_G", "print", "require" }

local function arguments(program, path)
  local list = { program, "--no-config", "--no-cache", "--no-color", "--formatter", "plain",
    "--no-unused-args", "--std", "none", "--read-globals" }
  for _, name in ipairs(GLOBALS) do list[#list + 1] = name end
  for _, word in ipairs { "--filename", path, "-" } do list[#list + 1] = word end
  return list
end

--- Suspends.
---@param source string
---@param path string as it shall be named
---@return string[]? lines "path:line:column: what"; nil: luacheck is not installed, or failed
---@return string? err
return function(source, path)
  local program = capture.program("luacheck")
  if not program then return nil, "luacheck is not installed" end
  local clean, err, printed = capture.run(arguments(program, path), { seconds = SECONDS,
    input = source, env = capture.environment(), errors = true })
  if not clean and err ~= "exit status 1" and err ~= "exit status 2" then
    return nil, "luacheck: " .. err
  end
  local lines = {}
  for line in (clean or printed):gmatch("[^\n]+") do lines[#lines + 1] = line end
  return lines
end
