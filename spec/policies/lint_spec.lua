--- What luacheck says of a policy before it is rolled out.

local capture = require "exhost.capture"
local cli = require "support.cli"
local lint = require "exhost.policy.lint"
local task = require "conformance.task"
local worker = require "exhost.policy.worker"

local WRONG = [[local unused
return { name = "p", version = "1", host_config = function(request, host, config)
  config.Memory = os.time()
end }
]]

describe("policy check", function()
  local function it_with_luacheck(name, body)
    if capture.program("luacheck") then return it(name, body) end
    it(name, function() pending("luacheck is not installed") end)
  end

  it("tells that there is no luacheck, and passes", cli.with(function(x)
    x.dir:write("p.lua", WRONG)
    x.env.PATH = x.path
    local ran = x:run { "policy", "check", x.path .. "/p.lua" }
    assert.same({ 0, "" }, { ran.code, ran.err })
    assert.truthy(ran.out:find("lint: none: luacheck is not installed\n", 1, true), ran.out)
    local about = x:json { "policy", "check", x.path .. "/p.lua" }
    assert.same({ "p" }, { about.name, about.lint })
  end))

  it_with_luacheck("tells what is unused and what no policy has, and passes", cli.with(function(x)
    x.dir:write("p.lua", WRONG)
    local path = x.path .. "/p.lua"
    local about, _, code = x:json { "policy", "check", path }
    assert.same({ 0, { path .. ":1:7: unused variable 'unused'",
      path .. ":3:19: accessing undefined variable 'os'" } }, { code, about.lint })
    assert.truthy(x:run({ "policy", "check", path }).out:find("lint: " .. about.lint[1], 1, true))
  end))

  it_with_luacheck("takes what a policy has for defined, and nothing else", task(function()
    local one = worker.new({ name = "p", source = "for name in pairs(_G) do print(name) end "
      .. "return { name = 'p', version = '1' }", modules = {} }, { soft = 1, hard = 2 })
    assert(one:load())
    local names = one.printed
    one:close()
    assert.is_true(#names > 15)
    assert.same({}, lint("return { " .. table.concat(names, ",\n") .. " }\n", "p.lua"))
    local known = {}
    for _, name in ipairs(names) do known[name] = true end
    for name in pairs(_G) do
      if name:find("^[%a_][%w_]*$") and not known[name] then
        assert.equal(1, #lint("return " .. name .. "\n", "p.lua"), name)
      end
    end
  end))
end)
