--- An executor of microVMs for a spec's body, on the stand-in for the binary.

local executor = require "exhost.executor"
local guest_image = require "support.guest_image"
local in_namespaces = require "support.in_namespaces"
local scratch = require "support.scratch"
local system = require "exhost.system"
local write = require "support.write"

local machines = {}

machines.BINARY = io.popen("pwd"):read "*l" .. "/spec/support/fake_firecracker"

--- Whether the stand-in can work here.
function machines.possible()
  return in_namespaces.possible()
end

--- body(ex, request, path): `request` makes one for a script, with a kernel that does `kernel`
--- instead of booting.
function machines.with(body, settings)
  if not machines.possible() then
    return function() getfenv(body).pending "needs root, namespaces and busybox" end
  end
  return scratch.with(function(dir, path)
    local all = { stop_grace = 1, backends = { firecracker = { binary = machines.BINARY,
      jailer = "" } } }
    for key, value in pairs(settings or {}) do all[key] = value end
    local ex = assert(executor.open { id = "spec", state_dir = path .. "/state", settings = all,
      backend = "firecracker" })
    write(path .. "/initrd", guest_image.initrd())
    local function request(script, kernel, more)
      local id = "m-" .. system.random_hex(4)
      write(path .. "/kernel-" .. id, guest_image.kernel(kernel))
      local asked = { job_id = id, execution_id = id, engine_spec = { type = "firecracker",
        params = { kernel_image = path .. "/kernel-" .. id, initrd = path .. "/initrd",
          cmd = script and { "/bin/sh", "-c", script } or nil } } }
      for key, value in pairs(more or {}) do asked[key] = value end
      return asked
    end
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, ex, request, path, dir)
    local clean, why = ex:cleanup()
    ex:close()
    if not ok then error(err, 0) end
    assert(clean, why)
  end)
end

--- Processes that carry an execution's mark.
function machines.processes(id)
  local pipe = io.popen("grep -lsz '^EXHOST_EXECUTION=" .. id .. "$' /proc/[0-9]*/environ | wc -l")
  local count = tonumber(pipe:read "*a")
  pipe:close()
  return count
end

return machines
