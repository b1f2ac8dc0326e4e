local ceiling = require "backends.docker.ceiling"

local function check(host, allowed, more)
  local body = { Image = "x", HostConfig = host }
  for key, value in pairs(more or {}) do body[key] = value end
  return ceiling.check(body, allowed or {})
end

describe("docker ceiling", function()
  it("denies in any spelling what it does not grant", function()
    for field, host in pairs {
      Privileged = { Privileged = true }, privileged = { privileged = true },
      PRIVILEGED = { PRIVILEGED = true }, CapAdd = { CapAdd = { "sys_admin" } },
      ["CapAdd = CAP_SYS_ADMIN"] = { CapAdd = { "CAP_SYS_ADMIN" } },
      ["CapAdd = all"] = { CapAdd = { "all" } }, pidmode = { pidmode = "host" },
      PidMode = { PidMode = "host" }, NetworkMode = { NetworkMode = "container:abc" },
      ["NetworkMode = host"] = { NetworkMode = "host" }, IpcMode = { IpcMode = "host" },
      UsernsMode = { UsernsMode = "host" }, CgroupnsMode = { CgroupnsMode = "host" },
      ["Devices%[1%].PathOnHost"] = { Devices = { { PathOnHost = "/dev" } } },
      SecurityOpt = { SecurityOpt = { "seccomp=unconfined" } }, Runtime = { Runtime = "other" },
      ["Binds%[1%]"] = { Binds = { "/var/run/docker.sock:/s" } },
      ["Mounts%[1%].Source"] = { Mounts = { { Type = "bind", Source = "/etc", Target = "/x" } } },
      MaskedPaths = { MaskedPaths = {} }, VolumesFrom = { VolumesFrom = { "other" } },
      DeviceCgroupRules = { DeviceCgroupRules = { "a *:* rwm" } },
      Sysctls = { Sysctls = { ["net.ipv4.ip_forward"] = "1" } },
      OomScoreAdj = { OomScoreAdj = -1000 },
    } do
      local ok, err, code = check(host)
      assert.same({ nil, "denied" }, { ok, code })
      assert.matches(field, err)
    end
  end)

  it("names the value and the setting that would allow it", function()
    local _, err = check { CapAdd = { "NET_ADMIN" } }
    assert.equal("HostConfig.CapAdd = NET_ADMIN is denied by the operator's ceiling "
      .. "(ceiling.capabilities would allow it)", err)
  end)

  it("lets pass what grants nothing", function()
    assert.is_true(check { Privileged = false, CapAdd = {}, PidMode = "", NetworkMode = "bridge",
      SecurityOpt = { "no-new-privileges" }, Devices = {},
      Mounts = { { Type = "bind", Source = "/srv/data", Target = "/x" },
        { Type = "volume", Source = "v", Target = "/v" } } })
  end)

  it("grants what it says", function()
    assert.is_true(check({ Privileged = true }, { privileged = true }))
    assert.is_true(check({ CapAdd = { "cap_net_admin" } }, { capabilities = { "NET_ADMIN" } }))
    assert.is_true(check({ PidMode = "host", NetworkMode = "host" }, { namespaces = { "host" } }))
    assert.is_true(check({ Devices = { { PathOnHost = "/dev/fuse" } } },
      { devices = { "/dev/fuse" } }))
    assert.is_true(check({ Mounts = { { Type = "bind", Source = "/etc/x", Target = "/x" } } },
      { binds = { "/etc/x" } }))
    assert.is_true(check({ Runtime = "nvidia" }, { runtimes = { "nvidia" } }))
  end)

  it("binds only below what it names, and never by a way around", function()
    local allowed = { binds = { "/srv/data" } }
    local function bind(source)
      return check({ Mounts = { { Type = "bind", Source = source, Target = "/x" } } }, allowed)
    end
    assert.is_true(bind "/srv/data")
    assert.is_true(bind "/srv/data/a")
    for _, source in ipairs { "/srv/database", "/srv", "/srv/data/../etc", "/" } do
      assert.is_nil((bind(source)), source)
    end
    local _, _, code = check({ Mounts = { { Type = "volume", Source = "v", Target = "/x",
      VolumeOptions = { DriverConfig = { Options = { type = "none", o = "bind",
        device = "/etc" } } } } } })
    assert.equal("denied", code)
  end)

  it("caps amounts and users", function()
    assert.is_true(check({ Memory = 100 }, { memory = 100 }))
    assert.is_nil((check({ Memory = 101 }, { memory = 100 })))
    assert.is_nil((check({}, { memory = 100 })))
    assert.is_nil((check({ NanoCpus = 3e9 }, { cores = 2 })))
    assert.is_nil((check({}, { users = { deny = { 0 } } })))
    assert.is_nil((check({}, { users = { deny = { "root" } } }, { User = "0:0" })))
    assert.is_true(check({}, { users = { deny = { 0 } } }, { User = "1000" }))
  end)
end)
