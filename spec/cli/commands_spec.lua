local async = require "exhost.async"
local cli = require "support.cli"
local json = require "exhost.json"

--- Start a shell script in the background; answers its id.
local function start(x, script)
  local ran = x:run { "start", "--", "sh", "-c", script }
  assert(ran.code == 0, ran.err)
  return ran.out:sub(1, -2)
end

describe("exhost start and wait", function()
  it("give the id at once, and the result as often as it is asked for", cli.with(function(x)
    local id = start(x, "echo out; exit 3")
    assert.matches("^x%x%x%x%x%x%x%x%x%x%x%x%x$", id)
    for _ = 1, 2 do
      local ran = x:run { "wait", id }
      assert.same({ 3, "" }, { ran.code, ran.out })
      local result, _, code = x:json { "wait", id }
      assert.same({ 3, 3, "out\n" }, { code, result.exit_code, result.stdout })
    end
    local value = x:json { "start", "--id", "named", "--", "true" }
    assert.same({ execution_id = "named" }, value)
    assert.equal(0, x:run({ "wait", "named" }).code)
  end))

  it("wait gives up at its time, and the job goes on", cli.with(function(x)
    local id = start(x, "sleep 60")
    local none, err, code = x:json { "wait", "--timeout", "20ms", id }
    assert.same({ "nil", "timeout", 124 }, { type(none), err.code, code })
    assert.equal("running", x:json({ "ps" })[1].status)
    assert.equal(0, x:run({ "cancel", "-s", "KILL", id }).code)
    assert.equal(137, x:run({ "wait", id }).code)
  end))

  it("refuse an id that is taken, and one that is not there", cli.with(function(x)
    x:run { "start", "--id", "e1", "--", "true" }
    x:run { "wait", "e1" }
    local _, err, code = x:json { "start", "--id", "e1", "--", "true" }
    assert.same({ { code = "already_completed", message = "execution is already completed" }, 125 },
      { err, code })
    _, err, code = x:json { "wait", "e2" }
    assert.same({ { code = "not_found", message = "execution (e2) not found" }, 125 },
      { err, code })
  end))
end)

describe("exhost logs", function()
  it("prints what was asked for", cli.with(function(x)
    local id = start(x, "echo 1; sleep 0.03; echo 2 >&2; sleep 0.03; echo 3")
    local function logs(...) return x:run({ "logs", ... }).out end
    assert.equal("1\n2\n3\n", logs("-f", id))
    assert.equal("1\n2\n3\n", logs(id))
    assert.equal("1\n3\n", logs("--stdout", id))
    assert.equal("2\n", logs("--stderr", id))
    assert.equal("1\n2\n3\n", logs("--stdout", "--stderr", id))
    assert.equal("2\n3\n", logs("-n", "2", id))
    assert.equal("3\n", logs("-n1", id))
    assert.equal("", logs("--no-history", id))
    assert.equal("1\n2\n3\n", logs("--since", "1h", id))
    assert.equal("", logs("--until", "1h", id))
    assert.matches("^2%S+Z 2\n$", logs("-t", "--stderr", id))
    assert.equal("\2\0\0\0\0\0\0\0022\n", logs("--format=frames", "--stderr", id))
    assert.same({ "2", "stderr" }, { json.decode(logs("--format", "jsonl", "--stderr", id)).data,
      json.decode(logs("--json", "--stderr", id)).stream })
  end))

  it("says what it cannot do", cli.with(function(x)
    for _, words in ipairs { { "logs" }, { "logs", "a", "b" }, { "logs", "-n", "x", "a" },
      { "logs", "--since", "soon", "a" } } do
      assert.equal(2, x:run(words).code)
    end
    for _, words in ipairs { { "logs", "none" }, { "logs", "-n", "-1", "none" },
      { "logs", "--format", "xml", "none" } } do
      local ran = x:run(words)
      assert.equal(1, ran.code)
      assert.matches("^exhost: %S.*\n$", ran.err)
    end
  end))
end)

describe("exhost cancel, pause, resume, signal", function()
  it("act on several, report each failure, and answer one value", cli.with(function(x)
    local a, b = start(x, "sleep 60"), start(x, "sleep 60")
    local ran = x:run { "cancel", a, "none", b }
    assert.equal(1, ran.code)
    assert.equal("exhost: failed to cancel execution (none). execution not found\n", ran.err)
    for _, id in ipairs { a, b } do assert.equal("cancelled", x:json({ "wait", id }).reason) end
    local c = start(x, "sleep 60")
    assert.same({ execution_id = c }, x:json { "pause", c })
    assert.equal("paused", x:json({ "ps" })[1].status == "paused" and "paused"
      or x:json({ "inspect", c }).status)
    assert.same({ execution_id = c }, x:json { "resume", c })
    assert.same({ execution_id = c }, x:json { "signal", "USR1", c })
    assert.equal(138, x:run({ "wait", c }).code)
    local value, err, code = x:json { "cancel", c }
    assert.same({ "nil", "already_completed", 1 }, { type(value), err.code, code })
    local list = x:json { "inspect", a, b }
    assert.same({ a, b }, { list[1].execution_id, list[2].execution_id })
  end))

  it("cancel takes a signal and a grace", cli.with(function(x)
    local id = start(x, "trap 'echo quit; exit 9' QUIT; echo up; while :; do sleep 0.02; done")
    x:start({ "logs", "-f", id }):wait_for("up\n")
    assert.equal(0, x:run({ "cancel", "-s", "SIGQUIT", "-g", "5s", id }).code)
    assert.equal(9, x:run({ "wait", id }).code)
    for _, words in ipairs { { "-s", "SIGFOO" }, { "-s", "99" }, { "-g", "soon" } } do
      local _, err = x:json { "cancel", words[1], words[2], id }
      assert.equal("invalid", err.code)
      assert.is_truthy(err.message:find(words[2], 1, true))
    end
  end))
end)

describe("exhost ps, inspect, why, remove, cleanup", function()
  it("tell of executions until they are removed", cli.with(function(x)
    assert.same({ "[]\n", 0 }, { x:run({ "ps", "--json" }).out, x:run({ "ps" }).code })
    x:run { "run", "--id", "e1", "-e", "SECRET=hush", "--", "sh", "-c", "exit 3" }
    assert.matches("^EXECUTION .*\ne1 +e1 +process +failed +3 ", x:run({ "ps" }).out)
    assert.equal("e1\n", x:run({ "ps", "-q" }).out)
    local info = x:json { "inspect", "e1" }
    assert.same({ "e1", "process", "failed", 3 }, { info.execution_id, info.backend, info.status,
      info.result.exit_code })
    assert.is_nil(x:run({ "inspect", "e1" }).out:find("hush"))
    local story = x:json { "why", "e1" }
    assert.same({ "accepted", "concluded" }, { story[1].event, story[#story].event })
    local text = x:run({ "why", "e1" }).out
    assert.matches("^execution e1, from 2", text)
    assert.is_nil(text:find("hush"))
    assert.same({ execution_id = "e1" }, x:json { "remove", "e1" })
    assert.equal("", x:run({ "ps", "-q" }).out)
    assert.equal("e1\n", x:run({ "ps", "-aq" }).out)
    assert.equal(0, x:run({ "remove", "--purge", "e1" }).code)
    assert.equal("", x:run({ "ps", "-aq" }).out)
    assert.equal(1, x:run({ "remove", "e1" }).code)
  end))

  it("why also tells of a start that failed", cli.with(function(x)
    x:run { "run", "--id", "bad", "--", "/nowhere/at/all" }
    local story = x:json { "why", "bad" }
    local told = false
    for _, event in ipairs(story) do told = told or event.event == "start_failed" end
    assert.is_true(told)
    assert.equal(1, x:run({ "why", "none" }).code)
  end))

  it("cleanup ends and removes everything", cli.with(function(x)
    for _ = 1, 3 do start(x, "sleep 60") end
    assert.same({ ok = true }, x:json { "cleanup" })
    assert.equal("", x:run({ "ps", "-q" }).out)
  end))

  it("leave nothing that others could read, whatever the umask", cli.with(function(x)
    local ran = x:sh([[umask 0; "$exhost" run -e SECRET=x -- true; "$exhost" start -- sleep 9
      find $D/state -perm /077; id=$("$exhost" ps -q); "$exhost" cancel -s KILL $id 2>/dev/null
      find $D/state -perm /077]])
    assert.is_nil(ran.out:find("state/"), ran.out)
  end))
end)

describe("exhost plan", function()
  it("prints what would be run, and touches nothing", cli.with(function(x)
    local plan = x:json { "plan", "--id", "pp", "-e", "A=hush", "--timeout", "10s", "--", "echo",
      "x" }
    assert.same({ "process", "pp", { "echo", "x" }, 10 }, { plan.backend, plan.execution_id,
      plan.body.argv, plan.body.timeout })
    local out = x:run({ "plan", "-e", "A=hush", "--timeout", "5s", "--", "true" }).out
    assert.is_nil(out:find("hush"))
    for _, line in ipairs { 'argv +%["true"%]  ← request engine_spec.params.cmd',
      'environment.A +"A=%*%*%*"  ← request engine_spec.params.environment',
      'environment.PATH +"PATH=%*%*%*"  ← default', "timeout +5  ← request timeout",
      'umask +"022"  ← default' } do
      assert.matches("\n" .. line .. "\n", out)
    end
    assert.equal("", x:run({ "ps", "-aq" }).out)
    local _, err, code = x:json { "plan", "--image", "x", "true" }
    assert.same({ "invalid", 1 }, { err.code, code })
  end))

  it("tells where the plan of another request differs", cli.with(function(x)
    local file = x.path .. "/other.json"
    local out = assert(io.open(file, "w"))
    out:write('{"engine_spec":{"type":"process","params":{"cmd":["echo","y"]}},"timeout":"20s"}')
    out:close()
    local words = { "plan", "--diff", file, "--timeout", "10s", "--", "echo", "x" }
    local changes = {}
    for _, change in ipairs(x:json(words)) do changes[change.field] = change end
    assert.same({ field = "body.argv[2]", from = '"x"', to = '"y"' }, changes["body.argv[2]"])
    assert.same({ "10", "20" }, { changes["body.timeout"].from, changes["body.timeout"].to })
    assert.is_nil(changes.execution_id)
    assert.matches('body.argv%[2%]: "x" %-> "y"\n', x:run(words).out)
    words[3] = x.path .. "/none.json"
    assert.equal("io", select(2, x:json(words)).code)
  end))
end)

describe("several commands at once", function()
  it("start different jobs, and of one id exactly one", cli.with(function(x)
    local running = {}
    for i = 1, 8 do
      running[i] = x:start { "run", "--id", "j" .. i, "--", "sh", "-c", "echo " .. i }
      running[8 + i] = x:start { "run", "--id", "same", "--", "sh", "-c", "echo same; sleep 0.3" }
    end
    local won = 0
    for i, command in ipairs(running) do
      local ran = command:wait()
      if i <= 8 then
        assert.same({ 0, i .. "\n" }, { ran.code, ran.out })
      elseif ran.code == 0 then
        won = won + 1
        assert.equal("same\n", ran.out)
      else
        assert.matches("already ", ran.err)
      end
    end
    assert.equal(1, won)
    assert.equal(9, #x:json { "ps" })
  end))

  it("wait for one job together, and remove it once", cli.with(function(x)
    local id = start(x, "sleep 0.2; echo out; exit 6")
    local running = {}
    for i = 1, 5 do running[i] = x:start { "wait", id } end
    for _, command in ipairs(running) do assert.equal(6, command:wait().code) end
    local removals = {}
    for i = 1, 5 do removals[i] = function() return x:run({ "remove", "--purge", id }) end end
    for _, answer in ipairs(async.all(removals)) do
      local ran = answer[1]
      assert.is_true(ran.code == 0 or ran.err:find("not found") ~= nil, ran.err)
    end
    assert.equal("", x:run({ "ps", "-aq" }).out)
  end))
end)
