--- The user of a jail: whose it is, and until when.

local groups = require "exhost.groups"
local jails = require "support.jails"
local scratch = require "support.scratch"

local FIRST = jails.FIRST
local shell, uid_of, uids, with = jails.shell, jails.uid_of, jails.uids, jails.with

--- A process of that user that is no machine's. Answers what ends it.
local function stray_of(uid)
  local pid = shell("setpriv --reuid " .. uid .. " --clear-groups setsid sleep 30 >/dev/null 2>&1 "
    .. "& echo $!"):match "%d+"
  local function status() return shell("cat /proc/" .. pid .. "/status 2>/dev/null") end
  assert.is_true(scratch.wait_until(function()
    return status():find("\nUid:\t" .. uid, 1, true) ~= nil
  end))
  return function()
    shell("kill -9 " .. pid)
    assert.is_true(scratch.wait_until(function() return not status():find "State:%s*[^Z%s]" end))
  end
end

describe("the user of a jail", function()
  it("is not one that somebody has, but may be one whose execution is gone", with(
    function(ex, request, path)
      local first = request "sleep 300"
      assert(ex:start(first))
      local _, err, code = ex:start(request "true")
      assert.equal("denied", code)
      assert.matches("all 1 user ids", err)
      assert(ex:remove(first.execution_id, 1))
      local file = assert(io.open(path .. "/state/spec/jail-uids/" .. FIRST, "w"))
      file:write "gone"
      file:close()
      assert.equal(0, assert(ex:run(request "true")).exit_code)
    end, { jail_uid_count = 1 }))

  it("stays taken while the control group cannot be emptied, and the story tells why", with(
    function(ex, request, path)
      if ex:backend().groups.version == 0 then return pending "needs control groups" end
      local asked, kill = request "true", groups.kill
      groups.kill = function() return nil end
      local r = ex:run(asked)
      groups.kill = kill
      assert.equal(0, r.exit_code)
      local uid = uid_of(ex, asked.execution_id)
      assert.equal(uid .. "\n", uids(path))
      local told
      for _, event in ipairs(ex:why(asked.execution_id)) do
        if event.event == "jail_uid_kept" then told = event end
      end
      assert.equal(uid, told.uid)
      assert.matches("outlive SIGKILL: remove gives the user id back", told.why)
      assert(ex:remove(asked.execution_id))
      assert.equal("", uids(path))
    end))

  it("stays taken while it has processes, where there is no control group", with(
    function(ex, request, path)
      ex:backend().groups.version = 0
      local asked = request "sleep 300"
      local id = asked.execution_id
      assert(ex:start(asked))
      local uid = uid_of(ex, id)
      local kill_stray = stray_of(uid)
      assert(ex:cancel(id))
      assert.equal("cancelled", ex:wait(id).reason)
      assert.equal(uid .. "\n", uids(path))
      local ok, err, code = ex:remove(id)
      assert.same({ nil, "io" }, { ok, code })
      assert.matches("remove the machine: its user id " .. uid .. " still has processes$", err)
      local _, why = ex:start(request "true")
      assert.matches("all 1 user ids", why)
      kill_stray()
      assert(ex:remove(id))
      assert.equal("", uids(path))
    end, { jail_uid_count = 1 }))

  it("stays taken while it has processes, though its execution is gone", with(
    function(ex, request, path)
      assert.equal(0, assert(ex:run(request "true")).exit_code) -- makes the folder
      local file = assert(io.open(path .. "/state/spec/jail-uids/" .. FIRST, "w"))
      file:write "gone"
      file:close()
      local kill_stray = stray_of(FIRST)
      local _, why = ex:start(request "true")
      assert.matches("all 1 user ids", why)
      kill_stray()
      assert.equal(0, assert(ex:run(request "true")).exit_code)
    end, { jail_uid_count = 1 }))
end)
