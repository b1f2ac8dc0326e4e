--- The jailer that a host has, and where jails may lie.

local jailer = require "backends.firecracker.jailer"
local jails = require "support.jails"
local machines = require "support.machines"
local scratch = require "support.scratch"
local settings = require "backends.firecracker.settings"
local system = require "exhost.system"

local JAILER = jails.JAILER

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
      if system.ids() ~= 0 or not jails.possible() then
        return pending "needs root, and device nodes in /tmp"
      end
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
      if jails.mount_options("/proc"):find "nodev" then
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
