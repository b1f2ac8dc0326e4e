local json = require "exhost.json"
local result = require "exhost.result"

describe("an exit file", function()
  it("is read line by line", function()
    assert.same({ format = "1", code = "3", step = "a=b", empty = "" },
      result.parse_exit("format=1\ncode=3\nstep=a=b\nempty=\n"))
  end)

  for name, content in pairs {
    empty = "", ["torn in a line"] = "format=1\ncode=1", ["torn in a key"] = "format=1\nco\n",
    ["without a format"] = "code=0\n", ["of a newer format"] = "format=2\ncode=0\n",
    zeros = ("\0"):rep(64), ["something else"] = "hello\n", ["with an empty line"] = "format=1\n\n",
  } do
    it(name .. " is none", function()
      assert.is_nil(result.parse_exit(content))
    end)
  end
end)

describe("a result", function()
  -- { name, exit, evidence, reason, exit_code, signal, error_msg, status }
  for _, case in ipairs {
    { "success", { code = "0" }, nil, "exited", 0, nil, nil, "success" },
    { "a code", { code = "3" }, nil, "exited", 3, nil, "exited with code 3", "failed" },
    { "C01 a", { signal = "15" }, nil, "signaled", 143, 15,
      "killed by signal 15 (SIGTERM)", "failed" },
    { "C01 b", { code = "143" }, nil, "exited", 143, nil, "exited with code 143", "failed" },
    { "C01 c", { code = "0", stop_by = "cancel", stop_signal = "15" }, nil, "cancelled", 0, nil,
      "execution cancelled", "failed" },
    { "C01 d", { signal = "11", core = "1" }, nil, "signaled", 139, 11,
      "killed by signal 11 (SIGSEGV)", "failed" },
    { "numbers", { signal = 9 }, nil, "signaled", 137, 9,
      "killed by signal 9 (SIGKILL)", "failed" },
    { "real-time", { signal = "37" }, nil, "signaled", 165, 37,
      "killed by signal 37 (SIGRTMIN+3)", "failed" },
    { "137 is not a signal", { code = "137" }, {},
      "exited", 137, nil, "exited with code 137", "failed" },
    { "cancel, killed", { signal = "9", stop_by = "cancel", stop_killed = "1" }, nil,
      "cancelled", 137, 9, "execution cancelled", "failed" },
    { "remove", { signal = "15", stop_by = "remove" }, nil, "cancelled", 143, 15,
      "execution cancelled", "failed" },
    { "deadline", { signal = "15", stop_by = "deadline" }, nil, "timeout", 143, 15,
      "stopped at its deadline", "failed" },
    { "deadline, code 0", { code = "0", stop_by = "deadline" }, nil, "timeout", 0, nil,
      "stopped at its deadline", "failed" },
    { "oom", { signal = "9", oom_kills = "1" }, nil, "oom", 137, 9, "killed: out of memory",
      "failed" },
    { "oom of a child", { code = "2", oom_kills = "1" }, nil, "oom", 2, nil,
      "killed: out of memory", "failed" },
    { "oom that was survived", { code = "0", oom_kills = "1" }, nil, "exited", 0, nil, nil,
      "success" },
    { "oom and another signal", { signal = "11", oom_kills = "1" }, nil, "signaled", 139, 11,
      "killed by signal 11 (SIGSEGV)", "failed" },
    { "oom and our kill", { signal = "9", oom_kills = "1", stop_killed = "1", stop_by = "admin" },
      nil, "signaled", 137, 9, "killed by signal 9 (SIGKILL)", "failed" },
    { "no oom", { signal = "9", oom_kills = "0" }, nil, "signaled", 137, 9,
      "killed by signal 9 (SIGKILL)", "failed" },
    { "oom after cancel", { signal = "9", oom_kills = "1", stop_by = "cancel" }, nil,
      "cancelled", 137, 9, "execution cancelled", "failed" },
    { "oom and timeout", { code = "1", oom_kills = "1", stop_by = "deadline" }, nil,
      "timeout", 1, nil, "stopped at its deadline", "failed" },
    { "oom that the engine tells", { code = "137" }, { oom_kills = 1 }, "oom", 137, nil,
      "killed: out of memory", "failed" },
    { "oom by an engine's word", { engine = "1", code = "3", oom_killed = "1" }, nil, "oom", 3,
      nil, "killed: out of memory", "failed" },
    { "oom by its word, code 0", { engine = "1", code = "0", oom_killed = "1" }, nil, "exited", 0,
      nil, nil, "success" },
    { "oom by its word and our kill", { engine = "1", code = "137", oom_killed = "1",
      stop_killed = "1", stop_by = "admin" }, nil, "exited", 137, nil, "exited with code 137",
      "failed" },
    { "an engine's 137 alone", { engine = "1", code = "137" }, nil, "exited", 137, nil,
      "exited with code 137", "failed" },
    { "an engine's stop", { engine = "1", code = "137", stop_by = "cancel", stop_killed = "1" },
      nil, "cancelled", 137, nil, "execution cancelled", "failed" },
    { "removed", { engine = "1", removed = "1" }, nil, "engine_lost", nil, nil,
      "somebody removed the workload from its engine", "failed" },
    { "removed after its end", { engine = "1", code = "0" }, { removed = true }, "exited", 0, nil,
      nil, "success" },
    { "removed after our stop", { engine = "1", removed = "1", stop_by = "deadline" }, nil,
      "timeout", nil, nil, "stopped at its deadline", "failed" },
    { "never ran, the engine says", { engine = "1", never_ran = "1", engine_error = "no such" },
      nil, "start_failed", nil, nil, "the workload never ran: no such", "failed" },
    { "script", { code = "3", step = "script", script = "10-a.sh", never_ran = "1" }, nil,
      "start_failed", 3, nil, 'provision script "10-a.sh" exited with code 3', "failed" },
    { "script, killed", { signal = "9", step = "script", script = "a" }, nil,
      "start_failed", 137, 9, 'provision script "a" killed by signal 9 (SIGKILL)', "failed" },
    { "script, cancelled", { signal = "15", step = "script", script = "a", stop_by = "cancel" },
      nil, "cancelled", 143, 15, "execution cancelled", "failed" },
    { "exec", { error = "2", step = "exec", never_ran = "1" }, nil, "start_failed", nil, nil,
      'start the workload: exec "/bin/none": no such file or directory', "failed",
      { subject = "/bin/none" } },
    { "a rare error", { error = "99", step = "cgroup" }, nil, "start_failed", nil, nil,
      "start the workload: cgroup: error 99", "failed" },
    { "a step alone", { step = "exec" }, nil, "start_failed", nil, nil,
      "start the workload: exec", "failed" },
    { "never ran", { never_ran = "1" }, nil, "start_failed", nil, nil, "the workload never ran",
      "failed" },
    { "nothing told", { pid = "7" }, nil, "lost", nil, nil,
      "lost: how the workload ended is not known", "failed" },
    { "no exit", nil, { swept = "control group" }, "lost", nil, nil,
      "lost: the supervisor is gone, so how the workload ended is not known", "failed" },
    { "killed from outside", { code = "0" }, { killed = true }, "exited", 0, nil,
      "killed by an external signal", "failed" },
  } do
    it("of " .. case[1], function()
      local r = result.from(case[2], case[3], case[9])
      assert.same({ case[4], case[5], case[6], case[7], case[8] },
        { r.reason, r.exit_code, r.signal, r.error_msg, result.status(r) })
      assert.equal(case[3] ~= nil and case[3].killed == true
        or case[2] ~= nil and case[2].removed == "1", r.killed)
      assert.truthy(json.encode(r))
    end)
  end

  it("is killed by evidence alone", function()
    assert.is_false(result.from({ signal = "9" }, nil).killed)
    assert.is_false(result.from({ signal = "9" }, { killed = "yes" }).killed)
    assert.is_true(result.from({ code = "1" }, { killed = true }).killed)
  end)

  it("tells of times and use", function()
    local r = result.from({ code = "0", started_at = "2026-01-02T03:04:05Z",
      finished_at = "2026-01-02T03:04:06.5Z", utime_us = "1500", stime_us = "500",
      maxrss_kb = "2048", memory_peak = "4096" }, nil, {})
    assert.equal("2026-01-02T03:04:05Z", r.started_at)
    assert.equal("2026-01-02T03:04:06.5Z", r.finished_at)
    assert.same({ cpu_ns = 2000000, user_us = 1500, system_us = 500, max_rss_bytes = 2097152,
      memory_peak_bytes = 4096 }, r.usage)
    assert.equal(7, result.from({ code = "0", cpu_ns = "7", utime_us = "1", stime_us = "1" }).usage
      .cpu_ns)
    assert.same({}, result.from({ code = "0" }).usage)
  end)

  it("tells of output that is not whole", function()
    local function cut(exit, evidence)
      exit.code = "0"
      local t = result.from(exit, evidence).truncated
      return { t.stdout, t.stderr }
    end
    assert.same({ false, false }, cut({ stdout_bytes = "5", stdout_dropped = "0" }))
    assert.same({ true, false }, cut({ stdout_dropped = "10", drop_errno = "28" }))
    assert.same({ false, true }, cut({ stderr_dropped = "1" }))
    assert.same({ true, false }, cut({}, { truncated = { stdout = true } }))
  end)

  it("keeps the facts that it does not tell itself, numbers as numbers", function()
    local exit = { format = "1", code = "0", pid = "12", pipe_grace = "expired" }
    local evidence = { unenforced = { "memory" }, pid = 13 }
    assert.same({ pid = 13, pipe_grace = "expired", unenforced = { "memory" } },
      result.from(exit, evidence).evidence)
    assert.equal("1", exit.format)
    assert.same({}, result.from(nil, nil).evidence)
  end)
end)

describe("a status", function()
  it("of something that is no whole result is failed", function()
    assert.equal("failed", result.status { reason = "lost" })
    assert.equal("failed", result.status {})
  end)
end)
