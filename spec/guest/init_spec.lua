--- exhost-init as the first process of namespaces.

local guest = require "support.in_namespaces"

local possible = guest.possible()

local function sh(script, more)
  local job = more or {}
  job.argv = { "/bin/sh", "-c", script }
  return guest.run(job)
end

local function last(records)
  return records[#records]
end

describe("the guest's init", function()
  if not possible then
    pending "needs root, namespaces and busybox"
    return
  end

  it("says hello, start and end, in order, and ends the machine by a reboot", function()
    local records, output, status = sh "echo hi; exit 7"
    assert.equal("hi\n", output)
    local kinds = {}
    for i, record in ipairs(records) do
      assert.equal(i - 1, record.number)
      kinds[i] = record.name
    end
    assert.same({ "HELLO", "START", "END" }, kinds)
    assert.same({ "exit", "7" }, { last(records).kind, last(records).code })
    -- SIGHUP is how a pid namespace ends whose first process reboots.
    assert.is_true(status % 256 == 1 or status == 129 * 256, tostring(status))
  end)

  for _, code in ipairs { 0, 1, 126, 137, 143, 255 } do
    it("tells code " .. code .. " from a signal", function()
      local records = sh("exit " .. code)
      assert.equal(tostring(code), last(records).code)
      assert.is_nil(last(records).signal)
    end)
  end

  for name, number in pairs { TERM = 15, KILL = 9, SEGV = 11, USR1 = 10 } do
    it("tells of SIG" .. name, function()
      local records = sh("kill -" .. name .. " $$; sleep 5")
      assert.same({ tostring(number), nil }, { last(records).signal, last(records).code })
    end)
  end

  it("gives the job its environment and nothing else", function()
    local _, output = guest.run { argv = { "/bin/busybox", "env" },
      environment = { "PATH=/bin", "A=b c", "MULTI=l1\nl2", "EMPTY=" } }
    assert.equal("PATH=/bin\nA=b c\nMULTI=l1\nl2\nEMPTY=\n", output)
  end)

  it("keeps argv as it is", function()
    local _, output = guest.run { argv = { "/bin/busybox", "printf", "<%s>", "a b", "", "$HOME",
      "*", "x\ny" } }
    assert.equal("<a b><><$HOME><*><x\ny>", output)
  end)

  it("becomes the user, without the groups of root", function()
    local _, output = sh("id -u; id -g; id -G", { uid = 1234, gid = 55 })
    assert.equal("1234\n55\n55\n", output)
  end)

  describe("finds users by the guest's own names:", function()
    local FILES = {
      ["/etc/passwd"] = "root:x:0:0::/root:/bin/sh\nbroken\nweb:x:33:44:web user:/:/bin/false\n",
      ["/etc/group"] = "root:x:0:\nwww:x:44:\nlog:x:50:other,web\nno:x:51:webmaster\nvm:x:52:web\n",
    }
    for user, expected in pairs { web = "33\n44\n44 50 52\n", ["web:log"] = "33\n50\n50\n",
      ["web:7"] = "33\n7\n7\n", ["9:vm"] = "9\n52\n52\n", root = "0\n0\n0\n" } do
      it(user, function()
        local _, output = guest.run({ argv = { "/bin/sh", "-c", "id -u; id -g; id -G" },
          user = user }, { files = FILES })
        assert.equal(expected, (output:gsub("id: [^\n]*\n", ""))) -- busybox minds the broken line
      end)
    end

    for user, errno in pairs { nobody = 2, ["web:nothing"] = 3, webmaster = 2 } do
      it(user .. " is none", function()
        local records, output = guest.run({ argv = { "/bin/echo", "no" }, user = user },
          { files = FILES })
        assert.same({ "failed", "user", tostring(errno), "" },
          { last(records).kind, last(records).step, last(records).error, output })
      end)
    end

    it("without such files there is none", function()
      assert.equal("2", last((guest.run { argv = { "/bin/true" }, user = "web" })).error)
    end)
  end)

  it("enters the working directory", function()
    local _, output = sh("pwd", { working_directory = "/bin" })
    assert.equal("/bin\n", output)
  end)

  it("has the kernel's folders", function()
    local _, output = sh "test -d /proc/1 && test -c /dev/null && test -d /sys/kernel && echo all"
    assert.equal("all\n", output)
  end)

  it("runs scripts in the order of their names, then the job", function()
    local _, output = sh("echo job", { scripts = { ["20-b"] = "echo b $0\n",
      ["10-a"] = "#!/bin/sh\necho a\n" } })
    assert.equal("a\nb /dev/fd/3\njob\n", output)
  end)

  it("stops at a script that fails, and names it", function()
    local records, output = sh("echo job", { scripts = { a = "echo a; exit 3", b = "echo b" } })
    assert.equal("a\n", output)
    assert.same({ "3", "a" }, { last(records).code, last(records).script })
  end)

  for step, job in pairs {
    exec = { argv = { "/no/such/program" } },
    cwd = { argv = { "true" }, working_directory = "/no" },
  } do
    it("says at which step nothing came to run: " .. step, function()
      local records = guest.run(job)
      assert.same({ "2", step }, { last(records).error, last(records).step })
      assert.equal("HELLO", records[#records - 1].name)
    end)
  end

  it("reaps what others leave behind, and waits for none of it", function()
    local records, output = sh("(sleep 0.05 &); (sleep 0.05 &); sleep 0.3; "
      .. "cat /proc/[0-9]*/stat | busybox grep -c ') Z'")
    assert.equal("END", last(records).name)
    assert.is_nil(output:match "[1-9]")
  end)

  it("kills what the job left", function()
    local before = os.time()
    local records = sh "(trap '' TERM HUP; exec sleep 300) & exit 5"
    assert.equal("5", last(records).code)
    assert.is_true(os.time() - before < 10)
  end)

  it("deletes the job's file, which holds the token", function()
    local _, output = sh "test -e /exhost/job || echo gone"
    assert.equal("gone\n", output)
  end)

  for what, content in pairs { empty = "", ["without a magic"] = "argv=x\0",
    torn = "EXHOST1\nargv=x\0argv=y", ["without a token"] = "EXHOST1\nargv=x\0",
    ["of unknown keys"] = "EXHOST1\ntoken=t\0argv=x\0odd=1\0" } do
    it("reports a job file that is " .. what, function()
      local ok, records = pcall(guest.run, { argv = { "true" } }, { job = content })
      -- Without a token its records are marked as nobody's.
      assert.is_true(not ok or last(records).step == "job")
    end)
  end

  it("does nothing outside: it would end the machine that it runs on", function()
    local build = require "exhost.build"
    assert.equal(256, os.execute(build.libexec .. "/exhost-init"))
  end)
end)
