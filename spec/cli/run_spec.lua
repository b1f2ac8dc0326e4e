local cli = require "support.cli"
local json = require "exhost.json"
local system = require "exhost.system"

local function sh(script) return { "run", "--", "sh", "-c", script } end

describe("exhost run: the exit status", function()
  it("is the job's, or 128 and its signal", cli.with(function(x)
    for _, code in ipairs { 0, 1, 3, 124, 125, 126, 127, 143, 255 } do
      assert.same({ code, "" }, { x:run(sh("exit " .. code)).code, x:run(sh("exit 0")).err })
    end
    for signal, code in pairs { TERM = 143, KILL = 137, SEGV = 139 } do
      assert.equal(code, x:run(sh("ulimit -c 0; kill -" .. signal .. " $$")).code)
    end
  end))

  it("is 124 at the time limit", cli.with(function(x)
    local ran = x:run { "run", "--timeout", "50ms", "--", "sleep", "60" }
    assert.equal(124, ran.code)
    assert.matches("^exhost: ", ran.err)
    ran = x:run { "run", "--timeout", "50ms", "--stop-grace", "50ms", "--", "sh", "-c",
      "trap '' TERM; while :; do sleep 0.05; done" }
    assert.equal(124, ran.code)
  end))

  it("is 126 or 127 for what cannot be executed or found", cli.with(function(x)
    x.dir:write("text", "#!/nowhere/at/all\n")
    for file, code in pairs { ["/nowhere/at/all"] = 127, ["no-such-program"] = 127,
      [x.path .. "/text/x"] = 127, [x.path .. "/text"] = 126, [x.path] = 126,
      ["/dev/null"] = 126 } do
      local ran = x:run { "run", "--", file }
      assert.equal(code, ran.code, file)
      assert.is_truthy(ran.err:find("execute " .. file .. ": ", 1, true), ran.err)
      assert.equal(code, x:run({ "start", "--", file }).code, file)
    end
    assert.equal("", x:run({ "ps", "-q" }).out)
  end))

  it("is 125 with a reason for options and files that cannot be meant", cli.with(function(x)
    x.dir:write("empty", " \n")
    x.dir:write("odd", '{"JobID":"j1","Resources":"x",'
      .. '"EngineSpec":{"params":{"environment":"A=1"}}}')
    for _, case in ipairs {
      { { "--config", x.path, "run", "true" }, "read settings: " .. x.path },
      { { "run", "--gpus", ",", "true" }, "--gpus \",\": expected UUIDs" },
      { { "run", "--gpus", "GPU-1,", "true" }, "--gpus \"GPU-1,\": expected UUIDs" },
      { { "run", "--cpus", "0x1", "true" }, "--cpus 0x1: expected a number" },
      { { "run", "-f", x.path .. "/empty" }, "/empty: it is empty" },
      { { "run", "-f", x.path .. "/odd", "--cpus", "1", "true" }, "resources: expected an object" },
      { { "run", "-f", x.path .. "/odd", "-e", "A=1", "true" }, "params.environment: expected an" },
    } do
      local ran = x:run(case[1])
      assert.equal(125, ran.code)
      assert.is_truthy(ran.err:find(case[2], 1, true), ran.err)
      assert.is_nil(ran.err:find("traceback", 1, true))
    end
  end))

  it("is that of a file's request in any of its spellings, with what options add", cli.with(
    function(x)
    x.dir:write("go", '\239\187\191{"JobID":"j1","ExecutionID":"j1","ResultsDir":"/nowhere",'
      .. '"Resources":{"cpu":{"cores":1}},"EngineSpec":{"Type":"process",'
      .. '"Params":{"cmd":["sh","-c","exit 7"]}}}')
    local ran = x:run { "run", "-f", x.path .. "/go", "--cpus", "2", "--results-dir", x.path }
    assert.same({ 7, "" }, { ran.code, ran.err })
  end))

  it("is 125 for what exhost itself cannot do", cli.with(function(x)
    for _, words in ipairs { { "run" }, { "run", "--nonsense" }, { "run", "--cpus", "x", "true" },
      { "run", "-b", "nosuch", "true" }, { "run", "-f", "/nowhere", "true" },
      { "run", "--timeout", "soon", "true" }, { "run", "--id", "../x", "true" },
      { "run", "-w", "/nowhere", "true" }, { "run", "-u", "no-such-user", "true" },
      { "run", "--image", "x", "true" }, { "run", "-e", "=x", "true" },
      { "--state-dir", "/dev/null/x", "run", "true" },
      { "--config", "/nowhere", "run", "true" } } do
      local ran = x:run(words)
      assert.equal(125, ran.code, table.concat(words, " "))
      assert.matches("^exhost: %S.*\n$", ran.err)
      assert.equal("", ran.out)
    end
    assert.equal("", x:run({ "ps", "-q" }).out)
  end))
end)

describe("exhost run: the output", function()
  it("goes to our own streams, byte for byte", cli.with(function(x)
    local ran = x:run(sh([[printf 'hi\200\000\377end'; printf err >&2]]))
    assert.same({ "hi\128\0\255end", "err", 0 }, { ran.out, ran.err, ran.code })
    ran = x:run(sh("head -c 3000000 /dev/zero"))
    assert.equal(3000000, #ran.out)
  end))

  it("that cannot be written is told, and the job goes on", cli.with(function(x)
    local ran = x:sh([["$exhost" run --id ab -- sh -c 'echo hi; echo e >&2' >/dev/full; echo $?]])
    assert.matches("write stdout: ENOSPC", ran.err)
    assert.matches("\ne\n", "\n" .. ran.err)
    assert.equal("125\n", ran.out)
    assert.equal("hi\n", x:json({ "wait", "ab" }).stdout)
    ran = x:sh([["$exhost" run -- sh -c 'echo hi; exit 3' >/dev/full; echo $?]])
    assert.equal("3\n", ran.out)
  end))

  it("is missed by nobody where a standard stream is closed", cli.with(function(x)
    for _, closed in ipairs { "<&-", ">&-", "2>&-", "<&- >&- 2>&-" } do
      local ran = x:sh([[("$exhost" run -- sh -c 'cat; ls /proc/self/fd; exit 4' ]]
        .. closed .. [[); echo $?]])
      assert.equal("", ran.err, closed)
      assert.matches("4\n$", ran.out, nil, closed)
    end
  end))

  it("says so in the result when somebody moved or emptied its file", cli.with(function(x)
    for _, act in ipairs { "rm", "truncate -s 0", "ln -sf /etc/passwd" } do
      local ran = x:sh([[r=$D/r$(echo ]] .. act .. [[ | cksum | cut -c1-5); mkdir -p $r
        "$exhost" --json run --results-dir $r -- sh -c "
          echo one; until [ -e $r/go ]; do sleep .01; done" &
        until [ -s $r/stdout.log ]; do sleep .01; done
        ]] .. act .. [[ $r/stdout.log; : >$r/go; wait]])
      local result = assert(json.decode(ran.out))
      assert.same({ "", true, false, 0 }, { result.stdout, result.truncated.stdout,
        result.truncated.stderr, result.exit_code }, act)
    end
  end))

  it("ends the job when nobody reads it any more", cli.with(function(x)
    local ran = x:sh([["$exhost" run -- yes | head -1]])
    assert.same({ "y\n", "", 0 }, { ran.out, ran.err, ran.code })
    assert.equal("failed", x:json({ "ps" })[1].status)
  end))

  it("is in the one JSON value, and not streamed", cli.with(function(x)
    local words = sh([[printf 'a\377'; echo e >&2; exit 4]])
    local result, _, code, ran = x:json(words)
    assert.same({ 4, 4, "a\239\191\189", "Yf8=", "e\n", "exited" }, { code, result.exit_code,
      result.stdout, result.stdout_base64, result.stderr, result.reason })
    assert.equal("", ran.err)
    table.insert(words, 2, "--json")
    assert.equal(4, json.decode(x:run(words).out).exit_code)
    local none, err, status = x:json { "run", "/nowhere/at/all" }
    assert.same({ "nil", "engine", 127 }, { type(none), err.code, status })
  end))

  it("waits for the writers a job left, as long as they write", cli.with(function(x)
    local ran = x:run(sh("(for i in 1 2 3 4; do echo $i; sleep 0.1; done) & exit 0"))
    assert.same({ "1\n2\n3\n4\n", 0 }, { ran.out, ran.code })
  end))
end)

describe("exhost run: an interrupt", function()
  it("cancels, and a second one kills", cli.with(function(x)
    local running = x:start(sh("trap 'echo bye; exit 5' TERM; echo up; "
      .. "while :; do sleep 0.02; done"))
    running:wait_for("up\n")
    running:signal(2)
    local ran = running:wait()
    assert.same({ 5, "up\nbye\n" }, { ran.code, ran.out })
    assert.equal("cancelled", x:json({ "ps" })[1].reason)
    running = x:start(sh("trap 'echo no' TERM; echo up; while :; do sleep 0.02; done"))
    running:wait_for("up\n")
    running:signal(2)
    running:wait_for("no\n")
    running:signal(15)
    assert.equal(137, running:wait().code)
  end))

  it("is none when the terminal changes its size", cli.with(function(x)
    local running = x:start(sh("echo up; sleep 0.3; echo done"))
    running:wait_for("up\n")
    for _ = 1, 20 do running:signal(28) end
    assert.same({ 0, "up\ndone\n" }, { running.code or 0, running:wait().out })
  end))

  it("of `wait` and `logs` ends these and not the job", cli.with(function(x)
    local id = x:run({ "start", "--", "sh", "-c", "echo up; sleep 60" }).out:sub(1, -2)
    local follower = x:start { "logs", "-f", id }
    follower:wait_for("up\n")
    follower:signal(2)
    assert.equal(130, follower:wait().code)
    assert.equal("running", x:json({ "ps" })[1].status)
  end))
end)

describe("exhost run: what a job inherits", function()
  it("is nothing of ours", cli.with(function(x)
    local ran = x:run(sh("yes | head -1"))
    assert.same({ "y\n", "" }, { ran.out, ran.err })
    ran = x:run { "run", "--", "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status" }
    assert.matches("^SigBlk:%s0+\nSigIgn:%s0+\n$", ran.out)
    assert.equal("0\n1\n2\n", x:run(sh("ls /proc/$$/fd")).out) -- a pipe would be one more
    assert.equal("0022\n", x:run(sh("umask")).out)
  end))

  it("is not our input: no hang, and a loop around us gets all of its lines", cli.with(function(x)
    local ran = x:sh([[mkfifo $D/in; exec 3<>$D/in; "$exhost" run -- cat <$D/in; echo $?]])
    assert.equal("0\n", ran.out)
    ran = x:sh([[printf 'a\nb\n' | while read x; do "$exhost" run -- sh -c 'cat; echo ran'; done]])
    assert.equal("ran\nran\n", ran.out)
  end))

  it("is argv as it is, and the environment byte for byte", cli.with(function(x)
    local ran = x:run { "run", "--", "printf", "%s|", "a b", "", "$HOME", "*", "x\ny" }
    assert.equal("a b||$HOME|*|x\ny|", ran.out)
    local own = { "MULTI=l1\nl2\n", 'Q=a"b\'c\\d$HOME `x`', "EQ=a=b=c", "EMPTY=",
      "UNI=naïve 日本", "SP= x ", "A=1", "A=2" }
    x.dir:write("request", json.encode { JobID = "j1", ExecutionID = "e1", EngineSpec = {
      type = "process", params = { environment = json.array(own),
        cmd = json.array { "cat", "/proc/self/environ" } } } })
    ran = x:run { "run", "-f", x.path .. "/request" }
    assert.equal(0, ran.code, ran.err)
    local seen = {}
    for entry in ran.out:gmatch("([^%z]*)%z") do seen[entry] = (seen[entry] or 0) + 1 end
    assert.is_nil(seen["A=1"])
    for i, entry in ipairs(own) do
      if i ~= 7 then assert.equal(1, seen[entry], entry) end
    end
    x.dir:write("bad", '{"EngineSpec":{"type":"process","params":{"cmd":["true"],'
      .. '"environment":["A=1","NOEQUALS"]}}}')
    local _, err = x:json { "run", "-f", x.path .. "/bad" }
    assert.equal("invalid", err.code)
    assert.is_truthy(err.message:find("engine_spec.params.environment[2]", 1, true)
      or err.message:find("engine_spec.params.environment[1]", 1, true), err.message)
  end))

  it("is a user that need not be in a database", cli.with(function(x)
    if system.ids() ~= 0 then pending("needs root") end
    local ran = x:run { "run", "-u", "12345:12345", "--", "sh", "-c",
      "id -u; id -g; id -G; echo $HOME" }
    assert.same({ "12345\n12345\n12345\n/\n", 0 }, { ran.out, ran.code })
    ran = x:run { "run", "--id", "nobody", "-u", "no-such-user", "--", "true" }
    assert.equal(125, ran.code)
    assert.matches("no%-such%-user", ran.err)
    assert.is_nil(x:run({ "ps", "-aq" }).out:find("nobody"))
    assert.equal(0, x:run({ "run", "--id", "nobody", "--", "true" }).code)
  end))

  it("is, before it, what its provision scripts did", cli.with(function(x)
    local base64 = require "exhost.base64"
    x.dir:write("request", json.encode { EngineSpec = { type = "process", params = {
      cmd = json.array { "echo", "three" } } }, ProvisionScripts = {
        ["10-a.sh"] = base64.encode("#!/bin/sh\r\necho one\r\n"),
        ["20-b"] = base64.encode("echo two\n") } })
    local ran = x:run { "run", "-f", x.path .. "/request" }
    if ran.code == 0 then
      assert.equal("one\ntwo\nthree\n", (ran.out:gsub("\r", "")))
    else
      assert.matches("10%-a%.sh.*CR", ran.err)
      assert.equal("", ran.out)
    end
  end))
end)

describe("exhost run --rm", function()
  it("leaves nothing", cli.with(function(x)
    assert.equal(3, x:run({ "run", "--rm", "--id", "gone", "--", "sh", "-c", "exit 3" }).code)
    assert.equal("", x:run({ "ps", "-aq" }).out)
    assert.equal("not_found", select(2, x:json { "inspect", "gone" }).code)
  end))
end)
