--- A real binary on /dev/kvm, where EXHOST_FIRECRACKER names one: guests of a few instructions,
-- as there are machines whose KVM boots no stock kernel.

local machines = require "support.machines"
local scratch = require "support.scratch"

local BINARY = os.getenv "EXHOST_FIRECRACKER"
local TREE = io.popen("pwd"):read "*l"
local SOURCE = TREE .. "/spec/support/tiny_guest.S"

--- Why there is nothing to be seen here, or nil.
local function missing()
  local file = BINARY and io.open(BINARY, "rb")
  local head = file and file:read(4)
  if file then file:close() end
  if head ~= "\127ELF" then return "EXHOST_FIRECRACKER names no real binary" end
  local kvm, err = io.open("/dev/kvm", "r+b")
  if not kvm then return err end
  kvm:close()
  if os.execute "command -v gcc ld >/dev/null" ~= 0 then return "needs gcc and ld" end
end

local function sh(command, ...)
  assert(os.execute(command:format(...)) == 0, command)
end

--- A guest in C, for a command: it has to have the archive that comes with one.
local function record_guest(path)
  sh("cd %s && gcc -O1 -ffreestanding -nostdlib -fno-pic -fno-stack-protector -mno-red-zone "
    .. "-mno-sse -fcf-protection=none -I %s/core/guest -c %s/spec/support/record_guest.c -o r.o && "
    .. "ld -N -Ttext=0x1000000 --build-id=none r.o -o record 2>/dev/null", path, TREE, TREE)
  return path .. "/record"
end

--- body(ex, asked, path): asked boots a guest that ends by `how`.
local function boots(how, body, more, log_limit)
  return machines.with(function(ex, request, path)
    local kernel = path .. "/" .. how
    sh("cd %s && gcc -x assembler-with-cpp -D%s -c %s -o t.o && "
      .. "ld -N -Ttext=0x1000000 --build-id=none t.o -o %s 2>/dev/null", path, how, SOURCE, kernel)
    local asked = request(nil, nil, more)
    asked.engine_spec.params.kernel_image = kernel
    body(ex, asked, path)
  end, { backends = { firecracker = { binary = BINARY } }, log_limit = log_limit })
end

local function wait_for_line(ex, id)
  assert.is_true(scratch.wait_until(function()
    local stream = assert(ex:get_log_stream(id))
    local bytes = require("conformance.helper").read(stream)
    return bytes == "tiny guest\n"
  end))
end

describe("a real monitor", function()
  local why = missing()
  if why then
    pending(why)
    return
  end

  for _, how in ipairs { "RESET", "TRIPLE" } do
    it("whose guest ends by " .. how:lower() .. " gives its console, and no exit code", boots(how,
      function(ex, asked)
        local r = assert(ex:run(asked))
        assert.same({ nil, "lost", "tiny guest\n" }, { r.exit_code, r.reason, r.stdout })
        assert.is_number(r.evidence.vmm.exit_code)
        assert(ex:remove(asked.execution_id))
      end))
  end

  it("whose guest halts is paused, resumed, and stopped", boots("HALT", function(ex, asked)
    local id = asked.execution_id
    assert(ex:start(asked))
    wait_for_line(ex, id)
    assert(ex:pause(id))
    assert.equal("paused", ex:status(id))
    assert(ex:resume(id))
    assert.equal("running", ex:status(id))
    assert.is_true(assert(ex:stats(id)).memory.usage > 0)
    assert(ex:cancel(id))
    assert.same({ nil, "cancelled" }, { ex:wait(id).exit_code, ex:wait(id).reason })
    assert.equal(0, machines.processes(id))
  end))

  it("whose guest halts is ended by its deadline", boots("HALT", function(ex, asked)
    assert.equal("timeout", assert(ex:run(asked)).reason)
  end, { timeout = 0.5 }))

  it("whose guest floods the console goes on, and the log has its limit", boots("FLOOD",
    function(ex, asked)
      local r = assert(ex:run(asked))
      assert.same({ "timeout", true, 4096 }, { r.reason, r.truncated.stdout,
        r.evidence.stdout_bytes - r.evidence.stdout_dropped })
      assert.equal(("tiny guest\n"):rep(3), r.stdout:sub(1, 33))
    end, { timeout = 1 }, 4096))

  it("whose guest says its end on the console has that exit code", machines.with(
    function(ex, request, path)
      local asked = request "never run"
      asked.engine_spec.params.kernel_image = record_guest(path)
      local r = assert(ex:run(asked))
      assert.same({ 7, "exited", "serial" }, { r.exit_code, r.reason, r.evidence.report })
      assert.matches("^output\n.*END kind=exit code=0\n$", r.stdout) -- which nobody believes
      assert(ex:remove(asked.execution_id))
    end, { backends = { firecracker = { binary = BINARY } } }))

  it("refuses what is no kernel in its own words", boots("RESET", function(ex, asked, path)
    local file = assert(io.open(path .. "/RESET", "wb"))
    file:write("\127ELF", ("x"):rep(1000))
    file:close()
    local r = assert(ex:run(asked))
    assert.equal("start_failed", r.reason)
    assert.matches("the workload never ran: .*[Kk]ernel", r.error_msg)
  end))
end)
