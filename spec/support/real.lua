--- A real binary on /dev/kvm, where EXHOST_FIRECRACKER names one, and guests of a few instructions
-- for it, as there are machines whose KVM boots no stock kernel.

local machines = require "support.machines"

local real = {}

local BINARY = os.getenv "EXHOST_FIRECRACKER"
local TREE = io.popen("pwd"):read "*l"
local SOURCE = TREE .. "/spec/support/tiny_guest.S"

--- Settings with that binary.
---@param own table? of backends.firecracker, and log_limit
function real.settings(own)
  local all = { binary = BINARY }
  for key, value in pairs(own or {}) do all[key] = value end
  local log_limit = all.log_limit
  all.log_limit = nil
  return { backends = { firecracker = all }, log_limit = log_limit }
end

--- Why there is nothing to be seen here, or nil.
function real.missing()
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
function real.record_guest(path)
  sh("cd %s && gcc -O1 -ffreestanding -nostdlib -fno-pic -fno-stack-protector -mno-red-zone "
    .. "-mno-sse -fcf-protection=none -I %s/core/guest -c %s/spec/support/record_guest.c -o r.o && "
    .. "ld -N -Ttext=0x1000000 --build-id=none r.o -o record 2>/dev/null", path, TREE, TREE)
  return path .. "/record"
end

--- body(ex, asked, path): asked boots a guest that ends by `how`.
---@param more table? of the request
---@param own table? of backends.firecracker
function real.boots(how, body, more, own)
  return machines.with(function(ex, request, path)
    local kernel = path .. "/" .. how
    sh("cd %s && gcc -x assembler-with-cpp -D%s -c %s -o t.o && "
      .. "ld -N -Ttext=0x1000000 --build-id=none t.o -o %s 2>/dev/null", path, how, SOURCE, kernel)
    local asked = request(nil, nil, more)
    asked.engine_spec.params.kernel_image = kernel
    body(ex, asked, path)
  end, real.settings(own))
end

return real
