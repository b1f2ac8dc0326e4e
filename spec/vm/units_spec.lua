--- The systemd unit, in the machine of spec/support/vm/systemd.

local command = require "support.command"
local json = require "exhost.json"
local scratch = require "support.scratch"

local function sh(script)
  local ran = command.run("/bin/sh", { "sh", "-ec", script })
  return (ran.out:gsub("\n$", "")), ran.code, ran.err
end

local function ok(script)
  local out, code, err = sh(script)
  assert.equal(0, code, script .. "\n" .. out .. err)
  return out
end

local EXHOST = "exhost --state-dir /var/lib/exhost "

local function inspect(id)
  return assert(json.decode(ok(EXHOST .. "inspect " .. id)))
end

--- A spec's body with the unit running; stopped, and its state removed, afterwards.
local function unit(name, body)
  it(name, scratch.with(function()
    if not os.getenv("EXHOST_VM_SYSTEMD") then
      return pending "not in the machine of spec/support/vm/systemd"
    end
    ok "systemctl start exhost.service"
    local fine, err = pcall(body)
    sh(EXHOST .. "cleanup; systemctl stop exhost.socket exhost.service; rm -rf /var/lib/exhost")
    if not fine then error(err, 0) end
  end))
end

local function await(what, condition)
  assert(scratch.wait_until(condition), what)
end

describe("the systemd unit", function()
  unit("is what systemd finds nothing wrong with", function()
    assert.equal("", ok "systemd-analyze verify --man=no exhost.service exhost.socket 2>&1")
    assert.equal("active", ok "systemctl is-active exhost.service")
    assert.equal("700 root", ok "stat -c '%a %U' /var/lib/exhost")
  end)

  unit("keeps jobs alive over a restart, with their limits and output", function()
    ok(EXHOST .. "start --id j1 --memory 64M -- /bin/sh -c 'echo one; sleep 1000'")
    local before = inspect "j1"
    local group = ok(string.format("cat /proc/%d/cgroup", before.pid))
    assert.is_nil(group:find("exhost.service", 1, true), group)
    local limit = "cat /sys/fs/cgroup" .. group:match("^0::(%S+)") .. "/memory.max"
    assert.equal("67108864", ok(limit))
    ok "systemctl restart exhost.service"
    assert.equal("active", ok "systemctl is-active exhost.service")
    assert.same({ "running", before.pid }, { inspect("j1").status, inspect("j1").pid })
    ok(EXHOST .. "cancel --grace 1s j1")
    assert.equal("one", ok(EXHOST .. "logs j1"))
    assert.equal("cancelled", inspect("j1").result.reason)
  end)

  unit("keeps jobs alive when the host is killed, and systemd starts another", function()
    ok(EXHOST .. "start --id j1 -- sleep 1000")
    local pid, host = inspect("j1").pid, ok "systemctl show -P MainPID exhost.service"
    ok("kill -9 " .. host)
    await("another host", function()
      local now = sh "systemctl show -P MainPID exhost.service"
      return now ~= "0" and now ~= host and sh "systemctl is-active exhost.service" == "active"
    end)
    assert.equal(pid, inspect("j1").pid)
    assert.equal("running", inspect("j1").status)
  end)

  unit("concludes what ends while it is stopped", function()
    ok(EXHOST .. "start --id j1 -- /bin/sh -c 'sleep 1; exit 3'")
    ok "systemctl stop exhost.service"
    await("the shim's end", function() return sh "pgrep exhost-shim" == "" end)
    ok "systemctl start exhost.service"
    await("a result", function()
      return sh "test -f /var/lib/exhost/default/executions/j1/result.json && echo" == ""
        and select(2, sh "test -f /var/lib/exhost/default/executions/j1/result.json") == 0
    end)
    assert.equal(3, inspect("j1").result.exit_code)
  end)

  unit("is started by its socket", function()
    ok "systemctl stop exhost.service"
    ok "systemctl start exhost.socket"
    assert.equal("inactive", (sh "systemctl is-active exhost.service"))
    assert.equal('"default"', ok(EXHOST .. "rpc id | grep -o '\"default\"'"))
    assert.equal("active", ok "systemctl is-active exhost.service")
  end)
end)
