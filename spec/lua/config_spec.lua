local config = require "exhost.config"
local executor = require "exhost.executor"
local inventory = require "exhost.inventory"
local json = require "exhost.json"
local scratch = require "support.scratch"

local DEFAULTS = {
  retention = 86400, log_limit = 1073741824, output_limit = 1048576, stop_grace = 10,
  pipe_grace = 2, pipe_grace_max = 10, events_limit = 262144, enforce = "warn",
  durability = "result", image_pull = "missing", policy_soft = 0.05, policy_hard = 0.25,
  serve = false, attach = false, gpu_sharing = false, prefer_cdi = false,
}

describe("settings", function()
  it("have defaults", function()
    assert.same(DEFAULTS, config.check())
    assert.same(DEFAULTS, config.check {})
  end)

  it("are fresh each time", function()
    config.check().retention = 1
    assert.equal(86400, config.check().retention)
  end)

  for _, case in ipairs {
    { "retention", "1h30m", 5400 }, { "retention", 0, 0 }, { "log_limit", "64m", 67108864 },
    { "output_limit", 10, 10 }, { "stop_grace", 0.5, 0.5 }, { "enforce", "strict", "strict" },
    { "durability", "full", "full" }, { "image_pull", "never", "never" }, { "serve", true, true },
    { "policy_soft", "20ms", 0.02 }, { "ceiling", { users = { deny = { 0 } } } },
    { "pipe_grace_max", "1m", 60 },
  } do
    it("take " .. case[1], function()
      local settings = assert(config.check { [case[1]] = case[2] })
      assert.same(case[3] or case[2], settings[case[1]])
    end)
  end

  for _, case in ipairs {
    { { retention = "soon" }, "retention: expected a duration" },
    { { retention = -1 }, "retention: expected a duration" },
    { { retention = 1e10 }, "retention: expected a duration up to 1000000000" },
    { { retentoin = 1 }, 'unknown field "retentoin" (did you mean "retention"?)' },
    { { log_limit = 1.5 }, "log_limit: expected a whole number of bytes" },
    { { enforce = "maybe" }, 'enforce: expected "warn" or "strict", got "maybe"' },
    { { image_pull = true }, 'image_pull: expected "never", "missing" or "always", got true' },
    { { serve = 1 }, "serve: expected true or false" }, { { ceiling = 1 },
      "ceiling: expected an object, got 1" },
    { { pipe_grace = 11 }, "pipe_grace is above pipe_grace_max" },
    { { policy_soft = 1 }, "policy_soft is above policy_hard" },
    { { 1 }, "expected an object, got a list" }, { "x", 'expected an object, got "x"' },
  } do
    it("are refused with " .. case[2], function()
      local settings, err, code = config.check(case[1])
      assert.is_nil(settings)
      assert.equal("invalid", code)
      assert.truthy(err:find(case[2], 1, true), err)
    end)
  end
end)

describe("roots of the inventory in settings", function()
  it("are taken, and those that are not given are the usual ones", function()
    local given = { sys = "/a/sys/", etc = "/", cdi = json.array {}, proc = "" }
    local settings = assert(config.check { inventory = given })
    assert.same({ sys = "/a/sys", etc = "/", cdi = {} }, settings.inventory)
    assert.same(settings, assert(config.check(settings)))
    assert.same({ sys = "/a/sys", etc = "/", cdi = {}, proc = "", dev = "/dev" },
      inventory.roots(settings.inventory))
    assert.same(inventory.ROOTS, inventory.roots())
    assert.equal("table", type(inventory.read({}, { sys = "/nonexistent" }).gpus))
  end)

  for _, case in ipairs {
    { 5, "inventory: expected an object, got 5" }, { { "/sys" }, "got a list" },
    { { syss = "/sys" }, 'inventory.syss: unknown field (did you mean "sys"?)' },
    { { sys = "sys" }, 'inventory.sys: expected an absolute path, got "sys"' },
    { { dev = 1 }, "inventory.dev: expected a string, got 1" },
    { { cdi = "/etc/cdi" }, "inventory.cdi: expected a list" },
    { { cdi = { "cdi" } }, "inventory.cdi[1]: expected an absolute path" },
  } do
    it("are refused with " .. case[2], function()
      local settings, err, code = config.check { inventory = case[1] }
      assert.same({ nil, "invalid" }, { settings, code })
      assert.truthy(err:find(case[2], 1, true), err)
    end)
  end
end)

describe("settings of backends", function()
  it("are a table each", function()
    local _, err, code = config.check { backends = { process = 5 } }
    assert.same({ "backends.process: expected a table of settings, got 5", "invalid" },
      { err, code })
  end)

  it("are those of one that can be found", scratch.with(function(dir, path)
    local function open(own)
      local ex, err, code = executor.open { state_dir = path .. "/state", lua_path = path,
        settings = { backends = own } }
      if ex then ex:close() end
      return ex ~= nil, err, code
    end
    local ok, err, code = open { proces = {} }
    assert.same({ false, "invalid" }, { ok, code })
    assert.matches('^settings: backends: no backend "proces" %(have: .*process', err)
    assert.matches('backend "../process": not a name', (select(2, open { ["../process"] = {} })))
    assert.is_true(open { process = {} })
    assert.is_false(open { mine = {} })
    dir:open("backends", true):open("mine", true):write("init.lua", "not loaded for this")
    assert.is_true(open { mine = {} })
  end))
end)

describe("the ceiling of settings", function()
  for name, case in pairs {
    memory = { "64m", 64 * 1024 ^ 2 }, cores = { 1.5, 1.5 }, pids = { 5, 5 },
    privileged = { true, true }, users = { { deny = { 0, "1000", "root" } },
      { deny = { 0, 1000, "root" } } },
    binds = { { "/srv", "/a.b" }, { "/srv", "/a.b" } }, devices = { "all", "all" },
    capabilities = { { "CAP_NET_ADMIN", "sys_admin" }, { "CAP_NET_ADMIN", "sys_admin" } },
    namespaces = { { "host", "container:a", "ns:/proc/1/ns/net" },
      { "host", "container:a", "ns:/proc/1/ns/net" } },
    networks = { {}, {} }, runtimes = { { "io.x.v2" }, { "io.x.v2" } },
    sysctls = { { "net.ipv4.ip_forward" }, { "net.ipv4.ip_forward" } },
    security_opt = { { "label=disable", 'seccomp={"a":[1]}' },
      { "label=disable", 'seccomp={"a":[1]}' } },
  } do
    it("takes " .. name .. ", in Lua and in JSON", function()
      local lua = { ceiling = { [name] = case[1] } }
      for _, given in ipairs { lua, json.decode(json.encode(lua)) } do
        local settings = assert(config.check(given))
        assert.same({ [name] = case[2] }, settings.ceiling)
        assert.same(settings, assert(config.check(settings)))
      end
    end)
  end

  for _, case in ipairs {
    { { memmory = 5 }, 'memmory: unknown field (did you mean "memory"?)' },
    { { qqqq = 5 }, "qqqq: unknown field" }, { { 1 }, "expected an object, got a list" },
    { { memory = "64 megs" }, "memory: " }, { { memory = 0 }, "memory: expected a size above 0" },
    { { memory = true }, "memory: expected a size" },
    { { cores = "2" }, 'cores: expected a number above 0, got "2"' },
    { { cores = 0 }, "cores: expected a number above 0" },
    { { pids = 1.5 }, "pids: expected a whole number of 1 or more" },
    { { privileged = 1 }, "privileged: expected true or false" },
    { { users = "root" }, 'users: expected an object, got "root"' },
    { { users = { "root" } }, "users: expected an object, got a list" },
    { { users = { deni = {} } }, 'users.deni: unknown field (did you mean "deny"?)' },
    { { users = { deny = "root" } }, 'users.deny: expected a list, got "root"' },
    { { users = { deny = { { 0 } } } }, "users.deny[1]: expected the name of a user or a number" },
    { { users = { deny = { 0, -1 } } }, "users.deny[2]: expected the name of a user" },
    { { users = { deny = { "root:root" } } }, 'a number, got "root:root"' },
    { { users = { deny = { "" } } }, 'a number, got ""' },
    { { users = { deny = { print } } }, "users.deny[1]: expected data, got a function" },
    { { binds = "/srv" }, 'binds: expected a list or "all", got "/srv"' },
    { { binds = { "srv" } }, "binds[1]: expected an absolute path" },
    { { binds = { "/srv/../etc" } }, "binds[1]: expected an absolute path without .." },
    { { devices = { 1 } }, "devices[1]: expected a string, got 1" },
    { { capabilities = { "NET ADMIN" } }, 'expected a capability such as "NET_ADMIN"' },
    { { capabilities = { x = true } }, 'capabilities: expected a list or "all", got an object' },
    { { namespaces = { "" } }, 'namespaces[1]: expected a mode such as "host"' },
    { { networks = { "a b" } }, "networks[1]: expected the name of a network" },
  } do
    it("is refused with " .. case[2], function()
      local settings, err, code = config.check { ceiling = case[1] }
      assert.same({ nil, "invalid" }, { settings, code })
      assert.matches("ceiling", err:sub(1, 7))
      assert.truthy(err:find(case[2], 1, true), err)
    end)
  end
end)

describe("a settings file", function()
  it("is Lua data", function()
    local settings = assert(config.load([[
      -- a comment
      local hour = 3600
      return { retention = 2 * hour, ceiling = { devices = { "/dev/kfd" } } }
    ]], "test.lua"))
    assert.equal(7200, settings.retention)
    assert.equal("/dev/kfd", settings.ceiling.devices[1])
    assert.equal(10, settings.stop_grace)
  end)

  for _, case in ipairs {
    { "return {", "test.lua:1:" },
    { "return 1", "expected the file to return a table, got number" },
    { "", "expected the file to return a table, got nil" },
    { "return 'a'", 'expected the file to return a table, got "a"' },
    { string.dump(function() return {} end), "bytecode is not settings" },
    { "return { x = os.getenv('HOME') }", "global 'os'" },
    { "print(1)", "global 'print'" }, { "return { retention = require }", nil },
    { "while true do end", "it takes too long" },
    { "local function f() return f() end f()", "it takes too long" },
    { "local f = function() return f() end f()", "global 'f'" },
    { "return { x = ('x'):rep(1e9) }", "string" },
    { "local f; f = function() return f() end; f()", "it takes too long" },
    { "for i = 1, 1e12 do local x = i * 2 end", "it takes too long" },
    { "return setfenv", "got nil" }, { "return { stop_grace = 'x' }", "stop_grace: expected" },
    { "\n\nreturn 1 + {}", "test.lua:3:" },
  } do
    it("holding " .. case[1]:gsub("%c", " "):sub(1, 40), function()
      local settings, err, code = config.load(case[1], "test.lua")
      if not case[2] then
        assert.equal(86400, settings.retention)
        return
      end
      assert.is_nil(settings)
      assert.equal("invalid", code)
      assert.equal("settings test.lua: ", err:sub(1, 19))
      assert.truthy(err:find(case[2], 1, true), err)
    end)
  end

  it("leaves the hook as it was", function()
    local function hook() end
    debug.sethook(hook, "", 12345)
    config.load("while true do end", "test.lua")
    local now, _, count = debug.gethook()
    debug.sethook()
    assert.equal(hook, now)
    assert.equal(12345, count)
    config.load("return {}", "test.lua")
    assert.is_true(debug.gethook() == nil or debug.gethook() == "external hook") -- a prompt's
  end)

  it("changes nothing outside", function()
    config.load("x = 1 string = 2 return {}", "test.lua")
    assert.is_nil(rawget(_G, "x"))
    assert.is_table(string)
  end)

  it("wants text", function()
    assert.has_error(function() config.load(nil, "a") end, "config.load: expected a string")
  end)
end)
