--- The policies of policies/README.md load and pass their examples, and its commands do what it
--- says, on a host with made GPUs and a stand-in for an engine.

local cli = require "support.cli"
local engine = require "support.engine"
local gpus = require "support.gpus"
local task = require "conformance.task"
local worker = require "exhost.policy.worker"

local file = assert(io.open("policies/README.md"))
local text = file:read("*a")
file:close()

describe("policies/README.md", function()
  local count = 0
  for source in text:gmatch("\n```lua\n(.-)\n```") do
    local name = source:match("^%-%- ([%w-]+)%.lua")
    count = count + 1
    it("shows a policy that works: " .. name, task(function()
      local one = worker.new({ name = name, source = source, modules = {} },
        { soft = 0.05, hard = 0.4 })
      local about, err = one:load()
      one:close()
      assert(about, err)
      assert.is_true(about.examples > 0)
    end))
  end

  it("shows three", function() assert.equal(3, count) end)

  it("changes which GPU a job gets on a running host, and takes it back", cli.with(function(x)
    local fake = engine.fake(x.path, {})
    local roots = gpus.make(x.path .. "/machine")
    x.dir:write("c.lua", string.format("return { backends = { docker = { host = %q } }, "
      .. "inventory = { sys = %q, proc = %q, dev = %q, etc = %q, cdi = { %q } } }",
      "unix://" .. x.path .. "/engine.sock", roots.sys, roots.proc, roots.dev, roots.etc,
      roots.cdi[1]))
    local host = x:start { "--config", x.path .. "/c.lua", "--lua-path", x.path .. "/site",
      "serve" }
    x.hosts[1] = host
    host:wait_until("a host", function() return host:stderr():find("serving", 1, true) end)
    local script, walk = {}, text:match("\n## From a change to a rollback\n(.-)\n## ")
    for block in walk:gmatch("```sh\n(.-)```") do
      script[#script + 1] = block:gsub("/etc/exhost", x.path .. "/site")
    end
    assert.equal(3, #script)
    -- What is not the host's to do reads the settings, here as on a machine whose they are.
    local ran = x:sh('set -e; umask 022; cd "$D"\nexhost() { case "$1 $2" in gpus*|"policy check") '
      .. 'set -- --config "$D/c.lua" "$@" ;; esac; "$exhost" "$@"; }\n'
      .. table.concat(script, "echo ==\n"))
    host:signal(15)
    host:wait()
    fake:quit()
    assert.same({ 0, "" }, { ran.code, ran.err }, ran.out)
    local before, check, after = ran.out:match("^(.-)==\n(.-)==\n(.*)$")
    assert.matches("GPU%-932b +0000:0b:00.0 +NVIDIA", before)
    assert.matches('"GPU%-932b","GPU%-other"[^\n]*← nvidia.lua:%d+\n', before)
    assert.matches("nvidia ci%-1: 2 examples pass", check)
    assert.matches("nvidia: 1 %-> ci%-1\n$", check)
    assert.matches('DeviceIDs":%["GPU%-932b"%][^\n]*← nvidia.lua:10\n', after)
    assert.matches('nvidia: 1\n.-"GPU%-932b","GPU%-other"', after)
    assert.is_nil(after:match("^(.-)nvidia: 1\n"):find("GPU-other", 1, true))
  end))
end)
