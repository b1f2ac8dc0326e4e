--- exhost-init under a real kernel, by QEMU: where EXHOST_TEST_BZIMAGE names one that boots on
--- its own (Debian's linux-image-cloud-amd64 does).

local guest = require "backends.firecracker.guest"
local guest_image = require "support.guest_image"
local namespaces = require "support.in_namespaces"
local scratch = require "support.scratch"

local KERNEL = os.getenv "EXHOST_TEST_BZIMAGE"
local TOKEN = "0123456789abcdef"

local function boot(job)
  local records, output
  scratch.with(function(_, path)
    local file = assert(io.open(path .. "/user.cpio", "wb"))
    file:write(guest_image.initrd())
    file:close()
    local body = { argv = job.argv, environment = job.environment or { "PATH=/bin" },
      working_directory = "/", uid = job.uid, gid = job.gid, initrd = path .. "/user.cpio",
      scripts = job.scripts and { "a" } }
    file = assert(io.open(path .. "/initrd", "wb"))
    file:write((guest.initrd(body, job.scripts or {}, TOKEN)))
    file:close()
    local command = string.format("timeout -s KILL 50 qemu-system-x86_64 -accel tcg -m 192 "
      .. "-kernel %s -initrd %s/initrd -append 'console=ttyS0 reboot=k panic=1 loglevel=0 "
      .. "rdinit=/exhost/init exhost.report=serial' -no-reboot -display none -serial file:%s/out "
      .. "-monitor none </dev/null 2>/dev/null", KERNEL, path, path)
    assert.equal(0, os.execute(command))
    file = assert(io.open(path .. "/out", "rb"))
    records, output = namespaces.parse(file:read "*a")
    file:close()
  end)()
  return records[#records], output
end

local function sh(script, more)
  local job = more or {}
  job.argv = { "/bin/sh", "-c", script }
  return boot(job)
end

describe("the guest's init under a real kernel", function()
  if not KERNEL or os.execute("command -v qemu-system-x86_64 >/dev/null") ~= 0 then
    pending "EXHOST_TEST_BZIMAGE is not set, or there is no QEMU"
    return
  end

  it("runs scripts and the job, tells its code, and resets the machine", function()
    local ending, output = sh("id -u; echo $A; exit 42", { uid = 12, gid = 13,
      environment = { "PATH=/bin", "A=b c" }, scripts = { a = "echo script\n" } })
    assert.same({ "END", "exit", "42" }, { ending.name, ending.kind, ending.code })
    assert.matches("script\n12\nb c\n", output)
  end)

  it("tells of a signal, and of a program that is not there", function()
    assert.equal("15", (sh "kill -TERM $$; sleep 9").signal)
    local ending = boot { argv = { "/nothing" } }
    assert.same({ "2", "exec" }, { ending.error, ending.step })
  end)

  it("tells of a job that took all memory", function()
    -- Each asks for less than there is, which the kernel grants; all of them for more.
    local eat = "{ head -c 90000000 /dev/zero; sleep 2; } | busybox tail -c 90000000 >/dev/null & "
    local ending = sh(eat .. eat .. eat .. "wait; exit 5")
    assert.same({ "exit", "5", "1" }, { ending.kind, ending.code, ending.oom })
  end)

  it("has mounts and devices", function()
    local _, output = sh("test -c /dev/null && test -d /proc/1 && test -d /sys/class "
      .. "&& echo x >/tmp/y && cat /tmp/y")
    assert.matches("x\n", output)
  end)
end)
