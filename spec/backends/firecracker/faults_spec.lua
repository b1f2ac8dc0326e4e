--- Bad input and faults of microVMs, on the stand-in: each a clear error or a true result, and
-- nothing left.

local conclude = require "backends.firecracker.conclude"
local files = require "backends.firecracker.files"
local host = require "backends.firecracker.host"
local machines = require "support.machines"
local processes = require "crash.processes"
local scratch = require "support.scratch"

local with = machines.with
local MIB = 1024 * 1024

local function sh(command, ...)
  assert(os.execute(command:format(...)) == 0, command)
end

local function exists(path)
  return os.execute("test -e " .. path) == 0
end

--- Call fn where a path cannot be opened.
local function without(path, why, fn)
  local open = io.open
  rawset(io, "open", function(name, mode)
    if name == path then return nil, path .. ": " .. why end
    return open(name, mode)
  end)
  local answer = { fn() }
  rawset(io, "open", open)
  return unpack(answer, 1, 3)
end

--- A start that fails, and leaves nothing. Answers its message and code.
local function refused(ex, path, asked)
  local id, err, code = ex:start(asked)
  assert.is_nil(id)
  assert.is_false(exists(path .. "/state/spec/executions/" .. asked.execution_id))
  assert.equal(0, machines.processes(asked.execution_id))
  assert.same({}, processes.cgroups(asked.execution_id))
  return err, code
end

--- What an end leaves is its result alone.
local function check_gone(ex, path, id)
  assert.equal(0, machines.processes(id))
  assert(ex:remove(id))
  assert.is_false(exists(path .. "/state/spec/executions/" .. id .. "/vm"))
  assert.same({}, processes.cgroups(id))
end

describe("a microVM's files", function()
  it("are refused when they are no kernel, or no file at all", with(function(ex, request, path)
    local asked = request "true"
    sh("cd %s && printf 'not a kernel' >text && mkfifo fifo && ln -s fifo link && ln -s /dev/null "
      .. "device", path)
    for name, expected in pairs { text = "is neither an ELF file %(vmlinux%) nor a bzImage",
      fifo = "it is a fifo, not a file", link = "it is a fifo, not a file",
      device = "it is a other, not a file" } do
      asked.engine_spec.params.kernel_image = path .. "/" .. name
      local err, code = refused(ex, path, asked)
      assert.equal("invalid", code)
      assert.matches("engine_spec.params.kernel_image: .*" .. expected, err)
    end
  end))

  it("are none of what gives the host away, where the operator says nothing", with(
    function(ex, request, path)
      sh("ln -s /etc/passwd %s/link", path)
      for _, field in ipairs { "initrd", "root_file_system" } do
        for _, file in ipairs { "/etc/passwd", path .. "/link", "/proc/self/environ" } do
          local asked = request "true"
          asked.engine_spec.params[field] = file
          local err, code = refused(ex, path, asked)
          assert.equal("denied", code)
          assert.truthy(err:find("engine_spec.params." .. field .. " = " .. file .. " is denied: "
            .. "no image is taken from there (backends.firecracker.images ", 1, true), err)
        end
      end
    end))

  it("are those of the operator's folders", with(function(ex, request, path)
    ex:backend().own.images = { path .. "/other" }
    assert.equal("denied", select(2, refused(ex, path, request "true")))
    ex:backend().own.images = { path }
    assert.equal(0, assert(ex:run(request "true")).exit_code)
  end))

  it("are refused when they cannot be read", scratch.with(function(dir, path)
    assert(dir:write("kernel", "\127ELF"))
    local file = path .. "/kernel"
    assert.same({ nil, "engine_spec.params.kernel_image: " .. file .. ": Permission denied",
      "invalid" }, { without(file, "Permission denied", function()
        return host.read_head("kernel_image", file)
      end) })
  end))
end)

describe("a disk that a machine writes", function()
  it("is not another one's meanwhile", with(function(ex, request, path)
    sh("cd %s && mkdir -p root/bin && cp /bin/busybox root/bin/sh && echo %s/root >disk", path,
      path)
    local function asking(script, read_only)
      local asked = request(script)
      asked.engine_spec.params.root_file_system, asked.engine_spec.params.initrd =
        path .. "/disk", nil
      asked.engine_spec.params.root_read_only = read_only
      return asked
    end
    local forever = "while :; do read x </proc/uptime; done"
    local first = asking(forever)
    assert(ex:start(first))
    for _, read_only in ipairs { false, true } do
      local err, code = refused(ex, path, asking("exit 0", read_only))
      assert.equal("engine", code)
      assert.truthy(err:find('use the disk "' .. path .. '/disk" (while a machine writes it no '
        .. "other one has it): resource busy or locked", 1, true), err)
    end
    assert(ex:cancel(first.execution_id, { grace = 0 }))
    assert(ex:wait(first.execution_id))
    local shared = asking(forever, true)
    assert(ex:start(shared))
    assert.equal(0, assert(ex:run(asking("exit 0", true))).exit_code)
    assert.matches("resource busy or locked", (refused(ex, path, asking("exit 0"))))
    assert(ex:cancel(shared.execution_id, { grace = 0 }))
    assert(ex:wait(shared.execution_id))
    assert.equal(0, assert(ex:run(asking("exit 0"))).exit_code)
  end))
end)

describe("a microVM", function()
  it("of more memory than the host has is refused", with(function(ex, request, path)
    local err, code = refused(ex, path, request("true", nil,
      { resources = { ram = { size = 2 ^ 50 }, cpu = { cores = 1 } } }))
    assert.equal("invalid", code)
    assert.matches("resources.ram.size: 1125899906842624 bytes are more than this host's %d+", err)
  end))

  it("with the longest id runs, and a longer one is refused", with(function(ex, request, path)
    local asked = request "exit 3"
    asked.execution_id = "a_." .. ("x"):rep(125)
    asked.job_id = asked.execution_id
    assert.equal(3, assert(ex:run(asked)).exit_code)
    check_gone(ex, path, asked.execution_id)
    asked.execution_id = asked.execution_id .. "x"
    local id, err, code = ex:start(asked)
    assert.same({ nil, "invalid" }, { id, code })
    assert.matches("execution_id", err)
  end))

  it("whose sockets are there already tells so in the monitor's words", with(
    function(ex, request, path)
      for socket, expected in pairs { ["v.sock"] = "vsock device: Address in use",
        ["api.sock"] = "Failed to open the API socket: Address in use" } do
        local write = files.write
        files.write = function(backend, execution, token)
          local ok, err, code = write(backend, execution, token)
          local dir = execution.dir:open "vm"
          dir:write(socket, "")
          dir:close()
          return ok, err, code
        end
        local asked = request "true"
        local r = assert(ex:run(asked))
        files.write = write
        assert.equal("start_failed", r.reason)
        assert.matches("the workload never ran: .*" .. expected, r.error_msg)
        check_gone(ex, path, asked.execution_id)
      end
    end))

  it("whose monitor aborts before it boots tells in its words why", with(
    function(ex, request, path)
      local write = files.write
      files.write = function(backend, execution, token)
        local ok, err, code = write(backend, execution, token)
        local dir = execution.dir:open "vm"
        dir:unlink "config.json"
        dir:close()
        return ok, err, code
      end
      local asked = request "true"
      local r = assert(ex:run(asked))
      files.write = write
      assert.same({ "start_failed", 6 }, { r.reason, r.evidence.vmm.signal })
      assert.matches("the workload never ran: .*panicked: Unable to open or read from the "
        .. "configuration file", r.error_msg)
      check_gone(ex, path, asked.execution_id)
    end))

  it("whose monitor is killed is lost, with what it wrote before", with(
    function(ex, request, path)
      local asked = request "echo up; sleep 300"
      local id = asked.execution_id
      assert(ex:start(asked))
      local relay = processes.children(processes.shims(path .. "/state"))
      assert.is_true(scratch.wait_until(function()
        return require("conformance.helper").read(assert(ex:get_log_stream(id))) == "up\n"
      end))
      processes.signal(processes.children(relay), processes.KILL)
      local r = assert(ex:wait(id))
      assert.same({ nil, "lost", 9, "up\n" },
        { r.exit_code, r.reason, r.evidence.vmm.signal, r.stdout })
      check_gone(ex, path, id)
    end))

  it("that never answers is ended by its deadline, and nobody told how it ended", with(
    function(ex, request, path)
      local asked = request("true", "hang", { timeout = 1 })
      local r = assert(ex:run(asked))
      assert.same({ nil, "timeout", "nobody" }, { r.exit_code, r.reason, r.evidence.report })
      check_gone(ex, path, asked.execution_id)
    end))

  it("that floods its console with a GiB fills no disk and no memory", with(
    function(ex, request, path)
      local asked = request(nil, "flood " .. 16 * MIB)
      local before = tonumber(assert(io.open "/proc/self/statm"):read "*a":match "^%d+ (%d+)")
      local r = assert(ex:run(asked))
      local after = tonumber(assert(io.open "/proc/self/statm"):read "*a":match "^%d+ (%d+)")
      assert.same({ nil, "lost", true }, { r.exit_code, r.reason, r.truncated.stdout })
      assert.equal(4 * MIB, r.evidence.stdout_bytes - r.evidence.stdout_dropped)
      local folder = path .. "/state/spec/executions/" .. asked.execution_id
      local file = assert(io.open(folder .. "/stdout.log"))
      assert.equal(4 * MIB, file:seek "end")
      file:close()
      assert.is_true((after - before) * 4096 < 64 * MIB)
      -- With a command the console is the kernel's, of which the first MiB is kept.
      asked = request("true", "flood " .. MIB)
      r = assert(ex:run(asked))
      assert.equal("lost", r.reason)
      file = assert(io.open(folder:gsub("[^/]+$", asked.execution_id) .. "/vm/console.log"))
      assert.equal(MIB, file:seek "end")
      file:close()
    end, { log_limit = 4 * MIB }))
end)

describe("what a monitor says of a missing KVM", function()
  it("comes with what to do, where /dev/kvm cannot be opened", scratch.with(function(dir)
    local report = conclude.parse "format=1\nby=nobody\nvmm_code=1\n"
    assert(dir:write("vmm.err", "Error: Building VMM: Kvm error: Error(2)\n"))
    local evidence = without("/dev/kvm", "No such file or directory", function()
      return conclude.evidence(report, dir, 0)
    end)
    assert.is_true(evidence.never_ran)
    assert.equal("Error: Building VMM: Kvm error: Error(2) (/dev/kvm: No such file or directory: "
      .. "microVMs need it: load the module of this processor, or let this user open it)",
      evidence.engine_error)
  end))
end)
