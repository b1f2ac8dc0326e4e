--- What a docker job sees of its limits and networks, on a real engine: spec/support/docker.lua.

local docker = require "support.docker"

local sh, with = docker.sh, docker.with

-- By either version of control groups.
local CPU = "cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us "
  .. "/sys/fs/cgroup/cpu/cpu.cfs_period_us"
local MEMORY = "cat /sys/fs/cgroup/memory.max 2>/dev/null "
  .. "|| cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
local PAGE = 4096

describe("docker: a job sees", function()
  it("a tenth of a core", with(function(ex)
    local result = assert(ex:run(sh(CPU, { resources = { cpu = { cores = 0.1 } } })))
    assert.equal("10000 100000", (result.stdout:gsub("%s+", " "):gsub(" $", "")))
  end))

  it("its memory, within a page of what was asked for", with(function(ex)
    for _, size in ipairs { 100 * 1000 * 1000, 100 * 1024 * 1024 } do
      local result = assert(ex:run(sh(MEMORY, { resources = { ram = { size = size } } })))
      assert.is_true(math.abs(size - tonumber(result.stdout)) < PAGE, result.stdout)
    end
  end))

  it("no network but its own where it asked for none", with(function(ex)
    local result = assert(ex:run(sh("ls /sys/class/net", {}, { network = "none" })))
    assert.equal("lo\n", result.stdout)
  end))

  it("the machine's network only where the operator grants that", with(function(ex)
    local asked = sh("true", {}, { network = "host" })
    local _, err, code = ex:start(asked)
    assert.equal("denied", code)
    assert.matches("HostConfig%.NetworkMode", err)
  end))
end)
