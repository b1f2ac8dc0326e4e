--- exhost lua nested_network.lua: a network and its metadata, with a real monitor and a real guest.
--- Runs in the outer machine of `nested`.

local executor = require "exhost.executor"
local log = io.stdout

local GATEWAY, TOKEN = "172.30.5.1", "X-metadata-token"
local ASK = 'ask() { printf "$1" | /bin/busybox nc -w 9 169.254.169.254 80 | '
  .. "/bin/busybox tail -n 1; echo; }; get() { ask \"GET $1 HTTP/1.0\\r\\n$2\\r\\n\"; }; "

local ex = assert(executor.open { id = "network", state_dir = "/var/lib/exhost",
  backend = "firecracker", settings = { backends = { firecracker = {
    networks = { "172.30.0.0/16" } } } } })

--- Run a script in a guest with a network, and compare what it writes.
local function check(name, script, params, expected)
  params.kernel_image = os.getenv "EXHOST_TEST_KERNEL"
  params.initrd = os.getenv "EXHOST_TEST_INITRD"
  params.network = { address = "172.30.5.2/30", gateway = GATEWAY }
  params.cmd = { "/bin/sh", "-c", script }
  local r = assert(ex:run { job_id = name, execution_id = name, engine_spec = {
    type = "firecracker", params = params } })
  if not r.stdout:find(expected) then
    error(string.format("%s: %s %s\n%s%s", name, r.reason, tostring(r.error_msg), r.stdout,
      r.stderr), 0)
  end
  assert(ex:remove(name))
  log:write("ok ", name, "\n")
end

check("gateway", "/bin/busybox ip route; /bin/busybox ping -c 1 -W 20 " .. GATEWAY, {},
  "default via 172.30.5.1.* 1 packets received")
local JSON = "'Accept: application/json\\r\\n'"
check("metadata", ASK .. "get /latest/; get /latest/id; get /latest " .. JSON,
  { mmds_message = { latest = { id = "i-1", tags = { a = "b" } } } },
  '^tags/\ni%-1\n{"id":"i%-1","tags":{"a":"b"}}\n$')
check("sessions", ASK .. "get /a; t=$(ask 'PUT /latest/api/token HTTP/1.0\\r\\n" .. TOKEN
  .. "-ttl-seconds: 60\\r\\n\\r\\n'); get /a \"" .. TOKEN .. ": $t\\r\\n\"",
  { mmds_message = '{"a": "b", "n": null}', mmds_version = "V2" }, "^No MMDS token.*\nb\n$")

local left = io.popen "ip -o link show | grep -c xh"
assert(left:read "*n" == 0, "a device is left")
left:close()
ex:close()
