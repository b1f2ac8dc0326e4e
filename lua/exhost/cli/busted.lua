--- Run busted inside the host: our modules and sanitizers are in the process.
--
-- busted ends by os.exit; a host must close properly after it, so that is caught here.

local busted = {}

local SYSTEM = "/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua"
local NATIVE = "/usr/lib/x86_64-linux-gnu/lua/5.1/?.so;/usr/lib/aarch64-linux-gnu/lua/5.1/?.so"

--- Run it with the words of its command line. On the state's main thread only.
---@param words string[]
---@param path string? more entries for package.path
---@return integer status
function busted.run(words, path)
  package.path = package.path .. ";" .. (path and path .. ";" or "") .. SYSTEM
  package.cpath = NATIVE
  local found, runner = pcall(require, "busted.runner")
  if not found then
    io.stderr:write("exhost: busted is not installed (Debian: apt install lua-busted)\n")
    return 125
  end
  local ended, status, exit = {}, nil, os.exit
  os.exit = function(code) -- luacheck: ignore
    status = (code == true or code == nil) and 0 or code == false and 1 or code
    error(ended, 0)
  end
  -- Without --ignore-lua it would start another interpreter in our place, for ever.
  _G.arg = { [0] = "busted", "--ignore-lua" } -- luacheck: ignore
  for _, word in ipairs(words) do table.insert(_G.arg, word) end
  local ok, err = xpcall(function() runner { standalone = false } end, function(e)
    -- busted itself raises nil for "some specs failed".
    return (e == ended or e == nil) and ended or debug.traceback(tostring(e), 2)
  end)
  os.exit = exit -- luacheck: ignore
  if not ok and err ~= ended then
    io.stderr:write(tostring(err), "\n")
    return 1
  end
  return status or (ok and 0 or 1)
end

return busted
