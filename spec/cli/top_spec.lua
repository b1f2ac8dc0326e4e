--- exhost top and ps -w: live tables.

local cli = require "support.cli"
local command = require "support.command"
local terminal = require "support.terminal"

local function start(x, id, script)
  local ran = x:run { "start", "--id", id, "--", "sh", "-c", script }
  assert(ran.code == 0, ran.err)
end

describe("exhost top", function()
  it("tells what active executions use, the busiest first", cli.with(function(x)
    x:run { "run", "--id", "done", "--", "false" }
    start(x, "idle", "sleep 60")
    start(x, "busy", "while :; do :; done")
    start(x, "chatty", "while :; do echo 0123456789; sleep 0.01; done")
    local list = x:json { "top", "-n", "2", "-d", "0.5s" }
    assert.equal(3, #list)
    assert.equal("busy", list[1].execution_id)
    assert.is_true(list[1].cpu_percent > 10)
    for _, one in ipairs(list) do
      assert.equal(one.execution_id == "chatty", one.output_rate > 0)
    end
    local ran = x:run { "top", "-n", "2", "-d", "0.5s" }
    assert.same({ 0, "" }, { ran.code, ran.err })
    local rounds = {}
    for round in ran.out:gmatch("%d+ pending, 3 running, 0 paused, 0 success, 1 failed\n"
      .. "(EXECUTION[^\n]*\n[^\n]+\n[^\n]+\n[^\n]+\n)") do
      rounds[#rounds + 1] = round
    end
    assert.equal(2, #rounds, ran.out)
    assert.matches("\nchatty +chatty +process +running +[%d.]+%% +%S+ %S+ +[%d.]+ K?i?B +"
      .. "[%d.]+ K?i?B", rounds[2])
    assert.matches("\nidle .* 0 B +0 B +%d+s\n", rounds[2])
    assert.is_nil(ran.out:find("done", 1, true))
  end))

  it("refuses what it cannot do", cli.with(function(x)
    for _, words in ipairs { { "-n", "0" }, { "-n", "x" }, { "-d", "soon" }, { "word" } } do
      assert.equal(2, x:run({ "top", unpack(words) }).code)
    end
  end))

  if not terminal.available() then return end

  it("and ps -w draw in place until Ctrl-C", cli.with(function(x)
    for _, words in ipairs { "top -d 200ms", "ps -w" } do
      local name = words:match("^%a+")
      start(x, name .. "-1", "sleep 60")
      local t = terminal.open(x.path, string.format("EXHOST_STATE_DIR=%s/state %s %s", x.path,
        command.program, words), 100, 12)
      local ok, err = xpcall(function()
        t:wait(name .. "%-1 .*running")
        for i = 2, 15 do start(x, name .. "-" .. i, "sleep 60") end
        t:wait(name == "top" and "\n… %d+ more\n?$" or name .. "%-9 ")
        x:run { "cleanup" }
        t:wait(name == "top" and "^0 pending, 0 running, .*\nEXECUTION[^\n]*$"
          or "^EXECUTION[^\n]*$")
        t:press("C-c")
        t:wait("ended 0$")
      end, function(e) return type(e) == "table" and e or debug.traceback(e, 2) end)
      t:close()
      if not ok then error(err, 0) end
    end
  end))
end)
