--- The policies of policies/README.md load and pass their examples.

local task = require "conformance.task"
local worker = require "exhost.policy.worker"

describe("policies/README.md", function()
  local file = assert(io.open("policies/README.md"))
  local text = file:read("*a")
  file:close()
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
end)
