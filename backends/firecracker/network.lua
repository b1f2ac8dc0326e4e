--- A machine's network: one tap of this host's with a static address, and the guest's eth0 at its
-- other end. Nothing is routed or translated by it: that is the operator's.

local capture = require "exhost.capture"
local dirs = require "exhost.dir"
local json = require "exhost.json"
local state = require "exhost.state"
local system = require "exhost.system"

local network = {}

local FOLDERS = { "/usr/sbin", "/sbin", "/usr/bin", "/bin" }
local SECONDS = 10
local LOCK, LOCK_SECONDS, LOCK_FD = "networks.lock", 10, 3
local FIELD = "engine_spec.params.network"

--- An address as a number, or nil.
local function number_of(text)
  local value = 0
  local parts = { text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$") }
  if #parts ~= 4 then return nil end
  for _, part in ipairs(parts) do
    if #part > 3 or tonumber(part) > 255 then return nil end
    value = value * 256 + tonumber(part)
  end
  return value
end

--- "A.B.C.D/BITS" -> first and last address of its network, its own; or nil.
function network.parse(text)
  local address, bits = text:match("^([%d.]+)/(%d%d?)$")
  local own = address and number_of(address)
  bits = tonumber(bits)
  if not own or bits > 32 then return nil end
  local size = 2 ^ (32 - bits)
  local first = own - own % size
  return { first = first, last = first + size - 1, own = own, bits = bits }
end

--- Check of params.network: an address that is one of a host, and the gateway beside it.
function network.check(value)
  local net, gateway = network.parse(value.address), number_of(value.gateway)
  if not net or net.bits < 8 or net.bits > 30 then
    return nil, "address: expected ADDRESS/BITS with 8 to 30 bits"
  end
  local function is_host(address) return address > net.first and address < net.last end
  if not gateway or not is_host(gateway) or not is_host(net.own) or gateway == net.own then
    return nil, "gateway: expected another address of the network of address"
  end
  return value
end

--- Whether the operator gives networks of that range.
function network.allowed(text, ranges)
  local net = network.parse(text)
  for _, range in ipairs(ranges) do
    local within = network.parse(range)
    if within and net.first >= within.first and net.last <= within.last then return true end
  end
  return false
end

--- Run ip(8). It has the lock as well: whoever takes that next also waits for one whose host died.
---@param lock exhost.fd?
local function ip(lock, ...)
  local argv
  for _, folder in ipairs(FOLDERS) do
    local file = io.open(folder .. "/ip", "rb")
    if file then
      file:close()
      argv = { folder .. "/ip", ... }
      break
    end
  end
  if not argv then return nil, "ip is not there: install iproute2", "unavailable" end
  local text, err, printed = capture.run(argv, { seconds = SECONDS, errors = true,
    env = { "LC_ALL=C" }, fds = lock and { [LOCK_FD] = lock:number() } })
  if text then return text end
  return nil, string.format("ip %s: %s: %s", table.concat({ ... }, " "), err,
    ((printed or ""):gsub("%s+$", ""))), "io"
end

--- Whether no device here has an address of that network. Suspends.
---@return true? free, string? err, string? code
local function is_free(asked, lock)
  local text, err, code = ip(lock, "-o", "-4", "addr", "show")
  if not text then return nil, FIELD .. ": " .. err, code end
  local net = network.parse(asked.address)
  for device, taken in text:gmatch("%d+: (%S+)%s+inet (%S+)") do
    local other = network.parse(taken)
    if other and other.first <= net.last and net.first <= other.last then
      return nil, string.format("%s.address: %s is in use here: %s has %s", FIELD, asked.address,
        device, taken), "denied"
    end
  end
  return true
end

--- Whether a request's network can be made here. Reads only. Suspends.
---@return true? ok, string? err, string? code
function network.facts(asked, own)
  if not network.allowed(asked.address, own.networks) then
    return nil, string.format("%s: %s is denied: backends.firecracker.networks of the settings has "
      .. "no range with it", FIELD, asked.address), "denied"
  end
  if system.ids() ~= 0 then
    return nil, FIELD .. ": a network device cannot be made without root", "unsupported"
  end
  return is_free(asked)
end

--- A name for the device: as long as they may be.
function network.name()
  return "xh" .. system.random_hex(6)
end

--- What init reads, on the kernel's command line.
function network.word(asked)
  return "exhost.net=" .. asked.address .. "," .. asked.gateway
end

--- What the monitor reads.
function network.config(name)
  return json.array { { iface_id = "eth0", host_dev_name = name } }
end

--- Call fn under a lock that all executors of a state folder share. Suspends.
---@param fn fun(lock: exhost.fd): true?, string?, string?
---@return true? ok, string? err, string? code
local function locked(state_dir, fn)
  local dir, why = dirs.open(state_dir)
  if not dir then return nil, why, "io" end
  local lock, err, code = state.lock(dir, LOCK, LOCK_SECONDS)
  dir:close()
  if not lock then return nil, "lock " .. LOCK .. ": " .. err, code end
  local ok
  ok, err, code = fn(lock)
  lock:close()
  return ok, err, code
end

--- Make the device, for the monitor's user. Looked at anew under the lock: another machine may have
--- taken the network since it was planned. Suspends.
---@param state_dir string
---@return true? ok, string? err, string? code
function network.make(state_dir, name, asked, uid)
  return locked(state_dir, function(lock)
    local ok, err, code = is_free(asked, lock)
    if not ok then return nil, err, code end
    for _, argv in ipairs {
      { "tuntap", "add", "dev", name, "mode", "tap", "user", string.format("%.0f", uid or 0) },
      { "addr", "add", asked.gateway .. asked.address:match "/%d+$", "dev", name },
      { "link", "set", "dev", name, "up" },
    } do
      ok, err, code = ip(lock, unpack(argv))
      if not ok then return nil, "make the network device: " .. err, code end
    end
    return true
  end)
end

--- Remove it. Any number of times. Suspends.
---@param name string? nil: there is none
---@return true? ok, string? err, string? code
function network.remove(state_dir, name)
  if not name then return true end
  return locked(state_dir, function(lock)
    local ok, err, code = ip(lock, "link", "del", "dev", name)
    if ok or err:find("Cannot find device", 1, true) then return true end
    return nil, "remove the network device: " .. err, code
  end)
end

--- The answer of `net_info`.
function network.info(execution)
  local asked = execution.plan.network
  if not asked then return {} end
  return { interface_name = execution.record.tap, ip_address = asked.address:match("^[^/]+"),
    cidr = asked.address }
end

return network
