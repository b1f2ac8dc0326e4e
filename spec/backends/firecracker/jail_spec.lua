--- Machines whose monitor is started by the jailer, on the stand-ins for both.

local fs = require "exhost.fs"
local groups = require "exhost.groups"
local jail = require "backends.firecracker.jail"
local jailer = require "backends.firecracker.jailer"
local machines = require "support.machines"
local scratch = require "support.scratch"
local settings = require "backends.firecracker.settings"
local state = require "exhost.state"
local system = require "exhost.system"

local JAILER = io.popen("pwd"):read "*l" .. "/spec/support/fake_jailer"
local FIRST = 1900000000

local function with(body, more)
  local own = { binary = machines.BINARY, jailer = JAILER }
  for key, value in pairs(more or {}) do own[key] = value end
  return machines.with(body, { backends = { firecracker = own } })
end

local function shell(command)
  local pipe = io.popen(command)
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local function mount_options(path)
  return jailer.mount_options(assert(fs.read "/proc/self/mountinfo"), path)
end

local function folder(path, id)
  return path .. "/state/spec/executions/" .. id .. "/vm"
end

local function uid_of(ex, id)
  local dir = ex.state:open_execution(id)
  local uid = state.read(dir).jail_uid
  dir:close()
  return uid
end

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

local function uids(path)
  return shell("ls " .. path .. "/state/spec/jail-uids | grep -v lock")
end

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

  it("waits for no user that somebody has, and takes over one whose execution is gone", with(
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

  it("lies in the operator's own folder for jails, under a name of its own", with(
    function(ex, request, path)
      local base = path .. "/base"
      -- Where that can be, on another file system than the state.
      if not mount_options("/dev/shm"):find "nodev" then
        base = "/dev/shm/" .. path:match "[^/]+$"
      end
      os.execute("mkdir -m 700 " .. base)
      ex:backend().own.jail_base = base
      local asked = request("echo out >/out/x; sleep 300", nil, { results_dir = path .. "/results",
        outputs = { { source = "out", target = "/out" } } })
      local id = asked.execution_id
      -- What a jailer leaves behind, of somebody else with that id.
      shell("mkdir -p " .. base .. "/fake_firecracker/" .. id .. "/root/dev/net")
      local function jails() return shell("ls " .. base .. " | grep -v ^fake_firecracker$") end
      local ok, err = pcall(function()
        assert(ex:start(asked))
        local name = jails():match "%S+"
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
        assert.equal("", jails())
        local failed = assert(ex:run(request("true", "refuse")))
        assert.matches("the workload never ran: .*Permission denied", failed.error_msg)
        assert(ex:cleanup())
        assert.equal("", jails())
        assert.equal("net\n", shell("ls " .. base .. "/fake_firecracker/" .. id .. "/root/dev"))
      end)
      os.execute("rm -r " .. base)
      if not ok then error(err, 0) end
    end))

  it("keeps its user while the control group cannot be emptied, and tells why", with(
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

  it("keeps its user while that has processes, where there is no control group", with(
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

  it("takes over no user of an execution that is gone while that has processes", with(
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

describe("the jailer", function()
  it("is asked for, or the plan says who the monitor runs as", function()
    local found = jailer.facts({ jailer = JAILER }, machines.BINARY, "/")
    if system.ids() ~= 0 then
      assert.matches("a jailer needs root", found.why)
      return
    end
    assert.same({ jailer = JAILER, exec = "fake_firecracker" }, found)
    found = jailer.facts({ jailer = "" }, machines.BINARY, "/")
    assert.matches("the monitor runs as the caller", found.why)
    local plan = require("backends.firecracker.machine").plan({ execution_id = "a",
      engine_spec = { params = { kernel_image = "/k", initrd = "/i" } } }, { jail = found },
      { output_size = 1 })
    assert.equal(found.why, plan.warnings[2])
  end)

  it("is not used where its jails could be changed by others, or have no devices", scratch.with(
    function(_, path)
      if system.ids() ~= 0 then return pending "needs root" end
      local function facts(base)
        local own = assert(settings.check { jailer = JAILER, jail_base = base })
        return jailer.facts(own, machines.BINARY, path)
      end
      os.execute(string.format("cd %s && mkdir good open && chmod 777 open && ln -s good link && "
        .. "touch file && mkdir -p open/below", path))
      assert.equal(path .. "/good", assert(facts(path .. "/good")).base)
      assert.equal(path .. "/good", assert(facts(path .. "/link")).base)
      assert.is_nil(assert(facts(nil)).base)
      for name, expected in pairs { nothing = "ENOENT", file = "ENOTDIR",
        open = "writable by others", ["open/below"] = "writable by others" } do
        local found, err, code = facts(path .. "/" .. name)
        assert.same({ nil, "unavailable" }, { found, code })
        assert.equal(1, err:find("backends.firecracker.jail_base " .. path .. "/", 1, true))
        assert.matches(": .*" .. expected, err)
      end
      local found, err = jailer.facts({ jailer = JAILER }, machines.BINARY, "/proc")
      if mount_options("/proc"):find "nodev" then
        assert.is_nil(found)
        assert.matches("state folder /proc: it is mounted without device nodes", err)
      end
      local _, why = settings.check { jail_base = "jails" }
      assert.matches("backends.firecracker.jail_base: expected an absolute path", why)
    end))

  it("finds the mount of a folder", function()
    local mounts = "22 1 8:1 / / rw - ext4 d rw\n"
      .. "23 22 0:2 / /srv rw,nodev shared:1 - tmpfs t rw\n"
      .. "24 22 0:3 / /srv/a\\040b rw,noexec - tmpfs t rw\n"
      .. "25 22 0:4 / /var rw,nodev - tmpfs t rw\n"
      .. "26 25 0:5 / /var rw,nosuid - tmpfs t rw\n"
    for path, options in pairs { ["/"] = "rw", ["/srv"] = "rw,nodev", ["/srv/x"] = "rw,nodev",
      ["/srvx"] = "rw", ["/srv/a b/c"] = "rw,noexec", ["/var/lib"] = "rw,nosuid" } do
      assert.equal(options, jailer.mount_options(mounts, path), path)
    end
  end)

  it("is not given a binary that needs libraries", function()
    local function elf(kind)
      local header = "\127ELF\2" .. ("\0"):rep(27) .. "\64" .. ("\0"):rep(21) .. "\56\0\2\0"
      return header .. ("\0"):rep(64 - #header) .. "\1" .. ("\0"):rep(55) .. string.char(kind)
    end
    assert.is_true(jailer.is_dynamic(elf(3)))
    assert.is_false(jailer.is_dynamic(elf(1)))
    assert.is_false(jailer.is_dynamic "#!/bin/sh\n")
  end)
end)
