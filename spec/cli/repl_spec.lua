--- exhost repl: scripts, and a prompt in a real terminal.

local cli = require "support.cli"
local terminal = require "support.terminal"

describe("exhost -e and repl without a terminal", function()
  it("run code on the state folder", cli.with(function(x)
    x:run { "run", "--id", "e1", "--", "true" }
    local ran = x:run { "-e", "print(ex:status('e1'))", "-e", "return 'not shown'" }
    assert.same({ 0, "success\n", "" }, { ran.code, ran.out, ran.err })
    assert.equal("2\n", x:run({ "-e", "local x = 1", "-e", "=1 + 1" }).out)
    ran = x:run { "repl", "-e", "error('boo')" }
    assert.same({ 1, "" }, { ran.code, ran.out })
    assert.matches("^exhost: prompt:1: boo\n", ran.err)
    assert.equal(2, x:run({ "repl", "word" }).code)
    assert.equal(2, x:run({ "-e" }).code)
  end))

  it("run a script as if it were typed, up to its first error", cli.with(function(x)
    local script = "x = 1\nfor i = 1, 2 do\n  x = x + i\nend\nx\n=x, 'y'\n"
    local ran = x:run({ "repl" }, { stdin = script .. "x +\n1" })
    assert.same({ 0, "4\n4\n\"y\"\n5\n", "" }, { ran.code, ran.out, ran.err })
    ran = x:sh("printf 'print(1)\\nnone()\\nprint(2)\\n' | \"$exhost\" repl")
    assert.same({ 1, "1\n" }, { ran.code, ran.out })
    assert.matches("attempt to call global 'none'", ran.err)
    ran = x:run({ "repl" }, { stdin = "for i = 1" })
    assert.equal(1, ran.code)
    assert.matches("'<eof>'", ran.err)
  end))

  it("end what runs at a signal", cli.with(function(x)
    for _, text in ipairs { "while true do end", "async.sleep(60)",
      "coroutine.wrap(function() while true do end end)()" } do
      local running = x:start { "-e", "print('up') " .. text }
      running:wait_for("up")
      running:signal(2)
      local ran = running:wait()
      assert.is_true(ran.code == 1 or text == "async.sleep(60)", text .. ran.err)
    end
  end))
end)

describe("exhost repl in a terminal", function()
  if not terminal.available() then
    pending("needs tmux")
    return
  end

  --- `body` gets the terminal with a prompt in it.
  local function with(body)
    return cli.with(function(x)
      x:run { "start", "--id", "job-a", "--", "sh", "-c", "echo out; sleep 60" }
      local t = terminal.open(x.path, string.format("EXHOST_STATE_DIR=%s/state HOME=%s %s repl",
        x.path, x.path, require("support.command").program))
      local ok, err = xpcall(function()
        t:wait("\n> ?$")
        body(t, x)
      end, function(e) return type(e) == "table" and e or debug.traceback(e, 2) end)
      t:close()
      if not ok then error(err, 0) end
    end)
  end

  it("edits, continues, completes and remembers", with(function(t, x)
    t:line("for i = 1, 2 do")
    t:wait(">> ?$")
    t:line("print('é', i)")
    t:line("end")
    t:wait("\né +1\né +2\n> ?$")
    t:type("ex:clea")
    t:press("Tab")
    t:wait("> ex:cleanup%($")
    t:press("C-c")
    t:wait("%^C\n> ?$")
    t:type("ex:c")
    t:press("Tab")
    t:wait("\ncancel +cleanup +close\n> ex:c$")
    t:press("C-u")
    t:type("inspect 'job")
    t:press("Tab")
    t:press("Enter")
    t:wait("status = \"running\"")
    t:line("6 * 7")
    t:wait("\n42\n> ?$")
    t:press("Up")
    t:wait("> 6 %* 7$")
    t:press("BSpace")
    t:line("8")
    t:wait("\n48\n> ?$")
    t:press("C-d")
    t:wait("\nended 0$")
    local kept = x.dir:open("state"):read("repl_history")
    assert.is_truthy(kept:find("6 * 7\n6 * 8\n", 1, true))
    assert.equal(384, x.dir:open("state"):stat("repl_history").mode)
  end))

  it("Ctrl-C stops what was typed and nothing else, as often as it takes", with(function(t, x)
    for i = 1, 8 do
      t:line("print('go" .. i .. "') while true do end")
      t:wait("\ngo" .. i .. "\n")
      t:press("C-c")
      t:wait("interrupted\n.*\n> ?$")
      t:press("C-l")
    end
    t:line("tail('job-a')")
    t:wait("\nout\n")
    t:press("C-c")
    t:wait("\"cancelled\"\n> ?$")
    t:line("coroutine.wrap(function() print('in') while true do end end)()")
    t:wait("\nin\n")
    t:press("C-c")
    t:wait("interrupted\n.*\n> ?$")
    assert.equal("running", x:json({ "ps" })[1].status)
  end))
end)

describe("exhost repl --attach", function()
  it("delays no output while what is typed loops, and no start", cli.with(function(x)
    x:serve("--attach")
    x:run { "start", "--id", "job", "--", "sh", "-c",
      "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done" }
    local looping = x:start { "repl", "--attach", "-e", "print('up') while true do end" }
    looping:wait_for("up\n")
    local follower = x:start { "logs", "-f", "job" }
    follower:wait_until("60 lines", function()
      return select(2, follower:stdout():gsub("\n", "")) >= 60
    end)
    assert.equal("here\n", x:run({ "run", "--", "echo", "here" }).out)
    assert.is_nil(looping.ended)
    looping:signal(2)
    assert.equal(1, looping:wait().code)
    assert.equal(0, x:run({ "cancel", "-s", "KILL", "job" }).code)
    local count = 0
    for line in follower:wait().out:gmatch("[^\n]+") do
      count = count + 1
      assert.equal(tostring(count), line)
    end
    assert.is_true(count >= 60)
  end))

  it("needs a host that allows it", cli.with(function(x)
    local serving = x:start { "serve" }
    serving:wait_until("it serves", function(s) return s:stderr():find("serving", 1, true) end)
    local _, err, code = x:json { "repl", "--attach", "-e", "1" }
    assert.same({ "unavailable", 1 }, { err.code, code })
    assert.matches("exhost serve %-%-attach", err.message)
    serving:signal(15)
    assert.equal(0, serving:wait().code)
  end))

  it("runs in that host, also from scripts and by settings", cli.with(function(x)
    x.dir:write("config.lua", "return { attach = true }")
    local serving = x:start { "--config", x.path .. "/config.lua", "serve" }
    serving:wait_until("it serves", function(s) return s:stderr():find("serving", 1, true) end)
    x:run { "repl", "--attach", "-e", "_G.mark = ex:id()" }
    x:run { "repl", "--attach", "-e", "rawset(getfenv(0), 'mark', ex:id())" }
    local ran = x:run({ "repl", "--attach" }, { stdin = "mark\nfor i = 1, 2 do\nprint(i)\nend\n" })
    assert.same({ 0, "\"default\"\n1\n2\n", "" }, { ran.code, ran.out, ran.err })
    ran = x:run { "repl", "--attach", "-e", "error('boo')" }
    assert.same({ 1, "" }, { ran.code, ran.out })
    assert.matches("^exhost: prompt %d+:1: boo\n", ran.err)
    local running = x:start { "repl", "--attach", "-e", "print('up') while true do end" }
    running:wait_for("up")
    running:signal(2)
    assert.matches("interrupted", running:wait().err)
    serving:signal(15)
    assert.equal(0, serving:wait().code)
  end))

  if not terminal.available() then return end

  it("edits here, completes and runs there", cli.with(function(x)
    local serving = x:start { "serve", "--attach" }
    serving:wait_until("it serves", function(s) return s:stderr():find("serving", 1, true) end)
    local t = terminal.open(x.path, string.format(
      "EXHOST_STATE_DIR=%s/state HOME=%s %s repl --attach", x.path, x.path,
      require("support.command").program))
    local ok, err = xpcall(function()
      t:wait("\n> ?$")
      t:type("ex:canc")
      t:press("Tab")
      t:wait("> ex:cancel%($")
      t:press("C-c") -- a signal: what is typed before it arrives is dropped with the rest
      t:wait("cancel%([^\n]*\n> ?$")
      t:line("while true do end")
      t:wait("do end$")
      t:press("C-c")
      t:wait("interrupted\n.*\n> ?$")
      t:line("for i = 1, 2 do")
      t:wait(">> ?$")
      t:line("print(i * 21) end")
      t:wait("\n42\n> ?$")
      serving:signal(15)
      assert.equal(0, serving:wait().code)
      t:line("1")
      t:wait("the host is gone.*\nended 1$")
    end, function(e) return type(e) == "table" and e or debug.traceback(e, 2) end)
    t:close()
    if not ok then error(err, 0) end
  end))
end)
