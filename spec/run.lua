--- Runs the specs: `exhost lua --main spec/run.lua [busted arguments]`
--
-- EXHOST_GC_STRESS=1 collects garbage all the time.

if os.getenv("EXHOST_GC_STRESS") then
  collectgarbage("setpause", 0)
  collectgarbage("setstepmul", 1000)
end

local words = { "--output=conformance.output" }
for _, word in ipairs(arg) do words[#words + 1] = word end
return require("exhost.cli.busted").run(words, "./?.lua;./spec/?.lua")
