--- Policies change in a host that stays up: all or nothing, and back again.

local async = require "exhost.async"
local policy = require "exhost.policy"
local scratch = require "support.scratch"
local write = require "support.write"

local function source(version, body)
  return string.format('return { name = "cpu", version = "%s", '
    .. 'host_config = function(_, _, c) %s end, '
    .. 'examples = { { request = {}, host = {}, expect = {} } } }', version, body)
end

local function with(body)
  return scratch.with(function(_, path)
    os.execute("mkdir -p -m 755 " .. path .. "/policies && chmod 755 " .. path)
    local file = path .. "/policies/cpu.lua"
    write(file, source("1", "c.A = 1"))
    local policies = policy.new({ policy_soft = 0.05, policy_hard = 0.4 }, path)
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, policies, file)
    policies:close()
    if not ok then error(err, 0) end
  end)
end

local function value(policies)
  return assert(policies:decide({}, {}, {})).config.A.value
end

describe("reload", function()
  it("takes what changed, and can go back", with(function(policies, file)
    assert.equal(1, value(policies))
    write(file, source("2", "c.A = 2"))
    assert.equal(1, value(policies))
    local changes = policies:reload()
    local mine
    for _, change in ipairs(changes) do
      if change.name == "cpu" then mine = change end
    end
    assert.same({ name = "cpu", from = "1", to = "2" }, mine)
    assert.equal(2, value(policies))
    assert.equal("1", assert(policies:rollback("cpu")).version)
    assert.equal(1, value(policies))
    assert.equal("not_found", select(3, policies:rollback("cpu")))
  end))

  it("gives each job that starts meanwhile one version or the other, whole", with(
    function(policies, file)
      assert.equal(1, value(policies))
      local decided = { [1] = 0, [2] = 0 }
      local work = {}
      for i = 1, 20 do
        work[i] = function()
          for _ = 1, 5 do
            local config = assert(policies:decide({}, {}, {})).config
            assert.equal(config.A.value, config.B.value)
            decided[config.A.value] = decided[config.A.value] + 1
          end
        end
      end
      work[21] = function()
        async.yield()
        write(file, source("2", "c.A = 2; c.B = 2"))
        policies:reload()
      end
      write(file, source("1b", "c.A = 1; c.B = 1"))
      policies:reload()
      for _, result in ipairs(async.all(work)) do
        assert.is_nil(result[2]) -- a message, had it failed
      end
      assert.equal(100, decided[1] + decided[2])
      assert.equal(2, value(policies))
    end))

  it("leaves the old one in place when the new one is bad, and says why", with(
    function(policies, file)
      assert.equal(1, value(policies))
      for bad, expected in pairs { ["return {"] = "unexpected symbol",
        [source("2", "error('x')")] = "example 1 is refused",
        ["while true do end"] = "longer than 50 ms" } do
        write(file, bad)
        local said
        for _, change in ipairs(policies:reload()) do
          if change.name == "cpu" then said = change.error end
        end
        assert.is_truthy(said and (said:find(expected, 1, true) or said:find("x", 1, true)), said)
        assert.equal(1, value(policies))
      end
    end))

  -- C22: how editors and configuration management replace files.
  it("sees a file that was renamed over it", with(function(policies, file)
    assert.equal(1, value(policies))
    write(file .. ".new", source("2", "c.A = 2"))
    assert(os.rename(file .. ".new", file))
    policies:reload()
    assert.equal(2, value(policies))
  end))

  it("sees a link to a folder that was exchanged", with(function(policies, file)
    local folder = file:match("^(.*)/")
    for _, version in ipairs { "1", "2" } do
      os.execute(string.format("mkdir -m 755 %s/..v%s", folder, version))
      write(string.format("%s/..v%s/cpu.lua", folder, version),
        source(version, "c.A = " .. version))
    end
    os.execute(string.format("cd %s && rm cpu.lua && ln -s ..v1 ..data && ln -s ..data/cpu.lua .",
      folder))
    assert.equal(1, value(policies))
    os.execute(string.format("cd %s && ln -s ..v2 ..new && mv -T ..new ..data", folder))
    policies:reload()
    assert.equal(2, value(policies))
    assert.equal("1", assert(policies:rollback("cpu")).version)
  end))

  it("says nothing where nothing changed", with(function(policies)
    value(policies)
    for _, change in ipairs(policies:reload()) do assert.not_equal("cpu", change.name) end
  end))
end)
