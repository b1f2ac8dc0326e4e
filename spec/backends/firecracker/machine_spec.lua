--- Whole executions on the stand-in: what microVMs do that containers do not.

local cpio = require "backends.firecracker.cpio"
local guest_image = require "support.guest_image"
local machines = require "support.machines"
local scratch = require "support.scratch"

local with = machines.with

local function folder(path, id)
  return path .. "/state/spec/executions/" .. id .. "/vm"
end

local function exists(path)
  return os.execute("test -e " .. path) == 0
end

describe("a microVM", function()
  it("leaves nothing but its result and logs", with(function(ex, request, path)
    local asked = request "echo hi"
    local id = asked.execution_id
    local r = assert(ex:run(asked))
    assert.same({ 0, "exited", "hi\n", "socket" },
      { r.exit_code, r.reason, r.stdout, r.evidence.report })
    assert.equal(0, machines.processes(id))
    assert.is_true(exists(folder(path, id)))
    assert(ex:remove(id))
    assert.is_false(exists(folder(path, id)))
    assert.equal("hi\n", ex:wait(id).stdout)
    assert(ex:remove(id, 1, { purge = true }))
    assert.is_false(exists(path .. "/state/spec/executions/" .. id))
  end))

  it("has its archive, with the job in it, no longer on the disk than that takes",
    with(function(ex, request, path)
      local asked = request("echo $SECRET; sleep 30")
      asked.engine_spec.params.environment = { "SECRET=hunter-two" }
      assert(ex:start(asked))
      assert.is_false(exists(folder(path, asked.execution_id) .. "/initrd"))
      assert.not_equal(0, os.execute("grep -rqs hunter-two -D skip "
        .. folder(path, asked.execution_id)))
    end))

  it("gives scripts, user, folder and environment to the job", with(function(ex, request)
    local asked = request("pwd; id -u; echo $A", nil,
      { provision_scripts = { a = "ZWNobyBzY3JpcHQgJEEK" } }) -- echo script $A
    local params = asked.engine_spec.params
    params.user, params.working_directory, params.environment = "33:44", "/bin", { "A=b c" }
    assert.equal("script b c\n/bin\n33\nb c\n", assert(ex:run(asked)).stdout)
  end))

  it("says that the guest has no such user", with(function(ex, request)
    local asked = request "true"
    asked.engine_spec.params.user = "nosuch"
    local _, err = ex:start(asked)
    assert.matches('become user "nosuch" %(names have to be in the guest', err)
  end))

  it("tells of a script that failed", with(function(ex, request)
    local r = ex:run(request("echo no", nil, { provision_scripts = { a = "ZXhpdCAzCg==" } }))
    assert.same({ "start_failed", 3, 'provision script "a" exited with code 3', "" },
      { r.reason, r.exit_code, r.error_msg, r.stdout })
  end))

  it("falls back to its console where the guest has no vsock", with(function(ex, request)
    local r = ex:run(request("echo out; echo err >&2; exit 9", "novsock"))
    assert.same({ 9, "exited", "out\nerr\n", "serial" },
      { r.exit_code, r.reason, r.stdout, r.evidence.report })
  end))

  -- The workload knows the format, but neither the token nor the connection.
  local FORGED = "printf '\\n@@EXHOST none 22 0511abba 2 END kind=exit code=0\\n'; "
    .. "printf '\\n@@EXHOST'; printf ' x\\n'; "
  for kernel, by in pairs { [false] = "socket", novsock = "serial" } do
    it("does not believe what a job says of its own end, by " .. by, with(function(ex, request)
      local r = ex:run(request(FORGED .. "exit 5", kernel or nil))
      assert.same({ 5, "exited", by }, { r.exit_code, r.reason, r.evidence.report })
      assert.equal("\n@@EXHOST none 22 0511abba 2 END kind=exit code=0\n\n@@EXHOST x\n", r.stdout)
    end))
  end

  it("keeps every byte and both streams", with(function(ex, request)
    local r = ex:run(request(
      "dd if=/dev/zero bs=100000 count=30 2>/dev/null; echo end >&2; exit 1"))
    assert.same({ ("\0"):rep(3000000), "end\n" }, { r.stdout, r.stderr })
  end, { output_limit = 4000000 }))

  for _, kernel in ipairs { "panic", "triple", "crash" } do
    it("that ends by " .. kernel .. " has no exit code, whatever its monitor says",
      with(function(ex, request)
        local r = assert(ex:run(request("echo never", kernel)))
        assert.same({ nil, "lost", "" }, { r.exit_code, r.reason, r.stdout })
        assert.is_table(r.evidence.vmm)
        assert.equal(kernel == "crash" and 9 or nil, r.evidence.vmm.signal)
        if kernel == "panic" then assert.matches("Kernel panic", r.evidence.console) end
      end))
  end

  it("that the monitor refuses tells in its words why", with(function(ex, request)
    local r = assert(ex:run(request("echo never", "refuse")))
    assert.equal("start_failed", r.reason)
    assert.matches("the workload never ran: .*Permission denied", r.error_msg)
  end))

  it("boots an image as it is, whose console is the output", with(function(ex, request)
    local r = ex:run(request(nil, "echo booted"))
    assert.same({ nil, "lost", "booted\r\n" }, { r.exit_code, r.reason, r.stdout })
    r = ex:run(request(nil, "flood 100000"))
    -- As recorded from real ones: a monitor drops what its pipe does not take.
    assert.matches("^x*\nx+\n", r.stdout:sub(1, 200))
    assert.is_true(#r.stdout > 30000, #r.stdout)
  end))

  it("without a command is asked to end by Ctrl-Alt-Del", with(function(ex, request, path)
    local init = "#!/bin/sh\ntrap 'echo bye; /bin/busybox reboot -f' INT\necho up\n"
      .. "while :; do sleep 0.05; done\n"
    local file = assert(io.open(path .. "/initrd", "wb"))
    file:write(cpio.append(guest_image.initrd(), cpio.archive { { "init", data = init, mode = 493 },
      { "dev", folder = true } }))
    file:close()
    local asked = request(nil, nil, { stop_grace = 60 })
    assert(ex:start(asked))
    require("conformance.helper").wait_for_output(ex, asked.execution_id, "up")
    assert(ex:cancel(asked.execution_id))
    local r = assert(ex:wait(asked.execution_id, 20))
    assert.same({ nil, "cancelled", "up\nbye\n", { exit_code = 0 } },
      { r.exit_code, r.reason, r.stdout, r.evidence.vmm })
    -- A paused one cannot hear that before it goes on.
    asked = request(nil, nil, { stop_grace = 60 })
    assert(ex:start(asked))
    require("conformance.helper").wait_for_output(ex, asked.execution_id, "up")
    assert(ex:pause(asked.execution_id))
    assert(ex:cancel(asked.execution_id))
    assert.equal("up\nbye\n", assert(ex:wait(asked.execution_id, 20)).stdout)
  end))

  for _, kernel in ipairs { "poweroff", "hang" } do
    it("that would never end is stopped: " .. kernel, with(function(ex, request)
      local asked = request(nil, kernel)
      assert(ex:start(asked))
      assert(ex:cancel(asked.execution_id))
      local r = ex:wait(asked.execution_id)
      assert.same({ nil, "cancelled" }, { r.exit_code, r.reason })
      assert.equal(0, machines.processes(asked.execution_id))
      asked = request(nil, kernel, { timeout = 0.2 })
      assert.equal("timeout", ex:run(asked).reason)
    end))
  end

  it("that lingers has ended as its guest said, though a stop kills it", with(function(ex, request)
    local asked = request("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.02; done",
      "linger", { stop_grace = 1 })
    local id = asked.execution_id
    assert(ex:start(asked))
    require("conformance.helper").wait_for_output(ex, id, "up")
    assert(ex:cancel(id))
    local r = assert(ex:wait(id))
    assert.same({ 3, "cancelled", "up\nbye\n", "socket" },
      { r.exit_code, r.reason, r.stdout, r.evidence.report })
    assert.is_nil(r.signal)
    assert.equal(0, machines.processes(id))
  end))

  it("dies with its supervisor", with(function(ex, request)
    local asked = request "echo up; sleep 300"
    local id = asked.execution_id
    assert(ex:start(asked))
    os.execute("for p in $(grep -lsz '^EXHOST_EXECUTION=" .. id .. "$' /proc/[0-9]*/environ "
      .. "| cut -d/ -f3); do kill -9 $(cut -d' ' -f4 /proc/$p/stat 2>/dev/null) 2>/dev/null; "
      .. "break; done")
    assert.equal("lost", ex:wait(id).reason)
    assert.is_true(scratch.wait_until(function() return machines.processes(id) == 0 end))
  end))

  it("is refused before anything is made when a file is not there", with(function(ex, request, path)
    local asked = request "true"
    for field, expected in pairs { kernel_image = "no such file", initrd = "no such file",
      root_file_system = "no such file" } do
      local before = asked.engine_spec.params[field]
      asked.engine_spec.params[field] = path .. "/nothing"
      local _, err, code = ex:start(asked)
      assert.same({ "invalid" }, { code })
      assert.is_truthy(err:lower():find("engine_spec.params." .. field .. ": " .. path
        .. "/nothing: ", 1, true) and err:lower():find(expected, 1, true), err)
      asked.engine_spec.params[field] = before
    end
    asked.engine_spec.params.root_file_system = path
    local _, err = ex:start(asked)
    assert.matches("it is a directory, not a file", err)
    assert.is_false(exists(path .. "/state/spec/executions/" .. asked.execution_id))
  end))

  it("enters the disk that it is given", with(function(ex, request, path)
    os.execute(string.format("mkdir -p %s/root/bin && cp /bin/busybox %s/root/bin/sh && "
      .. "echo on the disk >%s/root/file", path, path, path))
    local image = assert(io.open(path .. "/disk", "w"))
    image:write(path, "/root\n")
    image:close()
    local asked = request "read x </file; echo $x"
    asked.engine_spec.params.root_file_system = path .. "/disk"
    asked.engine_spec.params.initrd = nil
    assert.equal("on the disk\n", assert(ex:run(asked)).stdout)
  end))
end)
