--- Runs the specs: `exhost lua --main spec/run.lua [busted arguments]`
--
-- EXHOST_GC_STRESS=1 collects garbage all the time.

if os.getenv("EXHOST_GC_STRESS") then
  collectgarbage("setpause", 0)
  collectgarbage("setstepmul", 1000)
end

local words = { "--output=conformance.output" }
for _, word in ipairs(arg) do words[#words + 1] = word end
local status = require("exhost.cli.busted").run(words, "./?.lua;./spec/?.lua")
-- A spec that failed may have left commands, timers and executors: they would keep the loop,
-- and with it this program, running.
if status ~= 0 then
  local command = package.loaded["support.command"]
  if command then command.kill_all() end
  os.exit(status)
end
return status
