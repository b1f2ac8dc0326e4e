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
      ["NetworkMode = ns:"] = { NetworkMode = "ns:/proc/1/ns/net" },
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

  it("denies keys in other spellings at every depth, of which an engine takes the last", function()
    local function mount(options)
      return { Mounts = { { Type = "volume", Source = "v", VolumeOptions = options } } }
    end
    for field, host in pairs {
      ["Mounts%[1%].source"] = { Mounts = { { Type = "volume", Source = "v", source = "/etc" } } },
      ["Mounts%[1%].TYPE"] = { Mounts = { { Type = "volume", Source = "v", TYPE = "bind" } } },
      ["Devices%[1%].pathonhost"] = { Devices = { { PathOnHost = "/dev/dri/card0",
        pathonhost = "/dev/sda" } } },
      ["VolumeOptions.driverconfig"] = mount { driverconfig = { Options = { device = "/etc" } } },
      ["DriverConfig.options"] = mount { DriverConfig = { options = { device = "/etc" } } },
      ["LogConfig.type"] = { LogConfig = { Type = "json-file", type = "syslog" } },
    } do
      local ok, err, code = check(host)
      assert.same({ nil, "denied" }, { ok, code }, field)
      assert.matches(field .. " is no field", err)
    end
  end)

  it("denies what is of another form than the engine's, and names it", function()
    for err, host in pairs {
      ["HostConfig.CapAdd: expected a list, got a string"] = { CapAdd = "SYS_ADMIN" },
      ["HostConfig.CapAdd: expected a list, got an object"] = { CapAdd = { x = "SYS_ADMIN" } },
      ["HostConfig.CapAdd[1]: expected a string, got 1"] = { CapAdd = { 1 } },
      ["HostConfig.Privileged: expected a boolean, got 0"] = { Privileged = 0 },
      ["HostConfig.Privileged: expected a boolean, got a string"] = { Privileged = "false" },
      ["HostConfig.NetworkMode: expected a string, got a table"] = { NetworkMode = {} },
      ["HostConfig.Memory: expected an integer, got a string"] = { Memory = "64m" },
      ["HostConfig.Memory: expected an integer, got nan"] = { Memory = 0 / 0 },
      ["HostConfig.Memory: expected an integer, got 1.5"] = { Memory = 1.5 },
      ["HostConfig.OomScoreAdj: expected an integer, got a string"] = { OomScoreAdj = "-5" },
      ["HostConfig.Sysctls: expected an object, got a string"] = { Sysctls = "x" },
      ["HostConfig.Devices[1]: expected an object, got a string"] = { Devices = { "/dev/sda" } },
      ["HostConfig.Mounts[1].Source = nil is denied: not an absolute path"] =
        { Mounts = { { Type = "bind", Target = "/x" } } },
      ["HostConfig.Mounts[1].Source = etc is denied: not an absolute path"] =
        { Mounts = { { Type = "bind", Source = "etc", Target = "/x" } } },
    } do
      assert.same({ nil, err, "denied" }, { check(host) })
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
    assert.is_true(check({ CapAdd = { "NET_ADMIN" } }, { capabilities = { "cap_net_admin" } }))
    assert.is_true(check({ CapAdd = { "NET_ADMIN" } }, { capabilities = "all" }))
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
    for _, name in ipairs { "00", "+0", "-0", "000:5", "" } do
      assert.is_nil((check({}, { users = { deny = { "root" } } }, { User = name })), name)
    end
    assert.is_nil((check({}, { users = { deny = { 1000 } } }, { User = "01000" })))
    assert.is_nil((check({ Memory = 100, MemorySwap = -1 }, { memory = 100 })))
    assert.is_nil((check({ Memory = 100, MemorySwap = 101 }, { memory = 100 })))
    assert.is_true(check({ Memory = 100, MemorySwap = 100 }, { memory = 100 }))
  end)
end)
