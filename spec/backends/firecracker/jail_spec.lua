--- Machines whose monitor is started by the jailer, on the stand-ins for both.

local jail = require "backends.firecracker.jail"
local jails = require "support.jails"
local scratch = require "support.scratch"

local FIRST = jails.FIRST
local folder, shell, uid_of, uids = jails.folder, jails.shell, jails.uid_of, jails.uids
local with = jails.with

describe("a jailed monitor", function()
  it("has a folder, files and a user of its own, which go with the machine", with(
    function(ex, request, path)
      local one, two = request "echo up; sleep 300", request "sleep 300"
      assert(ex:start(one))
      assert(ex:start(two))
      local id = one.execution_id
      local uid = uid_of(ex, id)
      assert.is_true(uid >= FIRST and uid < FIRST + 65536)
      assert.not_equal(uid, uid_of(ex, two.execution_id))
      local root = folder(path, id) .. "/jail/fake_firecracker/" .. id .. "/root"
      assert.equal(tostring(uid) .. "\n",
        shell("cd " .. root .. " && stat -c %u . kernel config.json v.sock_1024 dev/kvm | sort -u"))
      assert.equal("600\n", shell("stat -c %a " .. root .. "/kernel"))
      -- What the relay writes to is not in that folder.
      assert.equal("0\n", shell("cd " .. folder(path, id)
        .. " && stat -c %u . guest console.log vmm.err jail | sort -u"))
      assert(ex:cancel(id))
      assert.equal("cancelled", ex:wait(id).reason)
      assert.equal("", shell("ls -d " .. folder(path, id) .. "/jail 2>/dev/null"))
      assert.equal(uid_of(ex, two.execution_id) .. "\n", uids(path))
      assert(ex:remove(two.execution_id, 1))
      assert.equal("", uids(path))
    end))

  it("ends as any other, and is paused and resumed by its own socket", with(function(ex, request)
    local r = assert(ex:run(request "echo out; echo err >&2; exit 7"))
    assert.same({ 7, "exited", "out\n", "err\n", "socket" },
      { r.exit_code, r.reason, r.stdout, r.stderr, r.evidence.report })
    assert.is_nil(r.evidence.strays_killed) -- the guard has left by itself
    local asked = request "sleep 300"
    local id = asked.execution_id
    assert(ex:start(asked))
    assert(ex:pause(id))
    assert.equal("paused", ex:status(id))
    assert(ex:resume(id))
    assert(ex:pause(id))
    assert(ex:cancel(id)) -- the relay resumes it
    assert.equal("cancelled", ex:wait(id).reason)
  end))

  it("is not reached by a link in its socket's place", with(function(ex, request, path)
    local asked = request "sleep 300"
    local id = asked.execution_id
    assert(ex:start(asked))
    local root = folder(path, id) .. "/jail/fake_firecracker/" .. id .. "/root"
    os.execute(string.format("mv %s/api.sock %s/real; ln -s real %s/api.sock", root, root, root))
    local ok, err = ex:pause(id)
    assert.is_nil(ok)
    assert.matches("the monitor's socket", err)
  end))

  it("gives its outputs back, and nothing by a link that lies in their place", with(
    function(ex, request, path)
      local more = { results_dir = path .. "/results",
        inputs = { { source = path .. "/in", target = "/in", readonly = true } },
        outputs = { { source = "out", target = "/out" } } }
      os.execute(string.format("cd %s && mkdir in results && echo data >in/a", path))
      local r = assert(ex:run(request("cat /in/a >/out/b", nil, more)))
      assert.same({ 0, 1 }, { r.exit_code, r.evidence.outputs.out.files })
      assert.equal("data\n", shell("cat " .. path .. "/results/out/b"))
      more.outputs[1].source = "other"
      local asked = request("sleep 300", nil, more)
      local id = asked.execution_id
      assert(ex:start(asked))
      local root = folder(path, id) .. "/jail/fake_firecracker/" .. id .. "/root"
      os.execute(string.format("cd %s && cp vdb.ext4 %s/disk && ln -sf %s/disk vdb.ext4", root,
        path, path))
      assert(ex:cancel(id))
      assert.is_string(ex:wait(id).evidence.outputs.other.error)
      assert.equal("", shell("ls " .. path .. "/results/other 2>/dev/null"))
    end))

  it("writes to a copy of the disk, and says so", with(function(ex, request, path)
    os.execute(string.format("mkdir -p %s/root/bin && cp /bin/busybox %s/root/bin/sh", path, path))
    local image = assert(io.open(path .. "/disk", "w"))
    image:write(path, "/root\n")
    image:close()
    os.execute("chmod 400 " .. path .. "/disk")
    local asked = request "echo $0"
    asked.engine_spec.params.root_file_system = path .. "/disk"
    asked.engine_spec.params.initrd = nil
    local plan = assert(ex:plan(asked))
    assert.matches("writes to a copy", table.concat(plan.body.warnings, "\n"))
    assert.equal("/bin/sh\n", assert(ex:run(asked)).stdout)
    assert.equal("0 400\n", shell("stat -c '%u %a' " .. path .. "/disk"))
  end))

  it("dies with its supervisor, though the kernel's word for that is lost", with(
    function(ex, request, path)
      ex:backend().groups.version = 0 -- no control group ends it
      local asked = request "sleep 300"
      local id = asked.execution_id
      assert(ex:start(asked))
      local pid = tonumber(shell("cat " .. folder(path, id) .. "/jail/fake_firecracker/" .. id
        .. "/root/fake_firecracker.pid"))
      assert.equal(0, os.execute("kill -0 " .. pid))
      os.execute("relay=$(cut -d' ' -f4 /proc/" .. pid
        .. "/stat); kill -9 $(cut -d' ' -f4 /proc/$relay/stat)")
      assert.is_true(scratch.wait_until(function()
        return os.execute("kill -0 " .. pid .. " 2>/dev/null") ~= 0
      end))
      assert.equal("lost", ex:wait(id).reason)
      assert.equal("", uids(path))
    end))

  it("that cannot be made tells why in the jailer's words, and leaves nothing", with(
    function(ex, request, path)
      local broken = path .. "/jailer"
      os.execute("printf '#!/bin/sh\\necho no such luck >&2; exit 1\\n' >" .. broken
        .. "; chmod 755 " .. broken)
      ex:backend().own.jailer = broken
      local r = assert(ex:run(request "true"))
      assert.equal("start_failed", r.reason)
      assert.matches("no such luck", r.error_msg)
      assert.equal("", uids(path))
      ex:backend().own.jailer = path .. "/nothing"
      local _, err, code = ex:start(request "true")
      assert.equal("unavailable", code)
      assert.matches("jailer .*No such file", err)
    end))

  it("is rolled back with its folder and its user when it cannot be filled", with(
    function(ex, request, path)
      local fill, seen = jail.fill, nil
      jail.fill = function(_, _, uid)
        seen = { uid, uids(path) }
        return nil, "no place", "io"
      end
      local asked = request "true"
      local ok, err = ex:start(asked)
      jail.fill = fill
      assert.is_nil(ok)
      assert.matches("prepare the machine: no place", err)
      assert.equal(seen[1] .. "\n", seen[2])
      assert.equal("", uids(path))
      assert.equal("", shell("ls -d " .. folder(path, asked.execution_id) .. " 2>/dev/null"))
    end))

  it("lies in the operator's own folder for jails, under a name of its own", with(
    function(ex, request, path)
      local base = path .. "/base"
      -- Where that can be, on another file system than the state.
      if not jails.mount_options("/dev/shm"):find "nodev" then
        base = "/dev/shm/" .. path:match "[^/]+$"
      end
      os.execute("mkdir -m 700 " .. base)
      ex:backend().own.jail_base = base
      local asked = request("echo out >/out/x; sleep 300", nil, { results_dir = path .. "/results",
        outputs = { { source = "out", target = "/out" } } })
      local id = asked.execution_id
      -- What a jailer leaves behind, of somebody else with that id.
      shell("mkdir -p " .. base .. "/fake_firecracker/" .. id .. "/root/dev/net")
      local function left() return shell("ls " .. base .. " | grep -v ^fake_firecracker$") end
      local ok, err = pcall(function()
        assert(ex:start(asked))
        local name = left():match "%S+"
        assert.matches("^" .. id:gsub("%p", "%%%0") .. "%.%x+$", name)
        local root = base .. "/" .. name .. "/fake_firecracker/" .. id .. "/root"
        assert.equal(uid_of(ex, id) .. "\n", shell("stat -c %u " .. root .. "/kernel"))
        assert.equal("", shell("ls -d " .. folder(path, id) .. "/jail 2>/dev/null"))
        assert(ex:pause(id))
        assert(ex:resume(id))
        assert(ex:cancel(id))
        local r = ex:wait(id)
        assert.same({ "cancelled", { files = 1, bytes = 4 } }, { r.reason, r.evidence.outputs.out })
        assert.equal("out\n", shell("cat " .. path .. "/results/out/x"))
        assert.equal("", shell("ls -d " .. base .. "/" .. name .. "/fake_firecracker 2>/dev/null"))
        assert(ex:remove(id))
        assert.equal("", left())
        local failed = assert(ex:run(request("true", "refuse")))
        assert.matches("the workload never ran: .*Permission denied", failed.error_msg)
        assert(ex:cleanup())
        assert.equal("", left())
        assert.equal("net\n", shell("ls " .. base .. "/fake_firecracker/" .. id .. "/root/dev"))
      end)
      os.execute("rm -r " .. base)
      if not ok then error(err, 0) end
    end))
end)
