--- Runs busted inside the host: our modules and sanitizers are in the process, and no
-- library is preloaded. `exhost lua --main spec/run.lua [busted arguments]`
--
-- EXHOST_GC_STRESS=1 collects garbage all the time.

local SYSTEM = { "/usr/share/lua/5.1/?.lua", "/usr/share/lua/5.1/?/init.lua" }
local NATIVE = "/usr/lib/x86_64-linux-gnu/lua/5.1/?.so;/usr/lib/aarch64-linux-gnu/lua/5.1/?.so"

package.path = package.path .. ";./?.lua;" .. table.concat(SYSTEM, ";")
package.cpath = NATIVE

if os.getenv("EXHOST_GC_STRESS") then
  collectgarbage("setpause", 0)
  collectgarbage("setstepmul", 1000)
end

-- busted ends by os.exit; here the host must close properly after it.
local ENDED = {}
local status
local exit = os.exit
os.exit = function(code) -- luacheck: ignore
  status = (code == true or code == nil) and 0 or code == false and 1 or code
  error(ENDED, 0)
end

local words = { [0] = "spec/run.lua", "--ignore-lua", "--output=spec.support.output" }
for _, word in ipairs(arg) do words[#words + 1] = word end
arg = words -- luacheck: ignore

local ok, err = xpcall(function()
  require "busted.runner" { standalone = false }
end, function(e) return e == ENDED and e or debug.traceback(tostring(e), 2) end)
os.exit = exit -- luacheck: ignore
if not ok and err ~= ENDED then
  io.stderr:write(tostring(err), "\n")
  return 1
end
return status or 0
