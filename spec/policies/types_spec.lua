--- policies/types/policy.lua names what a policy is given and may say, and no more.

local fields = require "backends.docker.fields"
local gpus = require "support.gpus"
local inventory = require "exhost.inventory"
local policy = require "exhost.policy"
local request = require "exhost.request"
local scratch = require "support.scratch"
local worker = require "exhost.policy.worker"
local fs = require "exhost.fs"

local text = fs.read("policies/types/policy.lua") .. "\n"

--- The fields of a class: what each is said to be.
local function class(name)
  local found = {}
  for line in text:match("%-%-%-@class exhost%." .. name .. "\n(.-)\n\n"):gmatch("[^\n]+") do
    local field, kind = line:match("^%-%-%-@field ([%w_]+)%??%s+(.+)$")
    if field then found[field] = kind end
  end
  assert.is_not_nil(next(found))
  return found
end

--- Whether the engine's form knows a field.
local function known(path, value)
  local _, err = fields.check { HostConfig = value }
  return not (err and err:find(path .. " is no field", 1, true)), err
end

describe("the types of policies", function()
  it("are annotations alone", function() assert.is_function(loadstring(text)) end)

  it("have the engine's fields, of the engine's form", function()
    local SAMPLES = { integer = 1, string = "x", boolean = true }
    local list = class("HostConfig")
    for field, kind in pairs(list) do
      local sample = SAMPLES[kind:match("^%a+ ?") and kind:match("^(%a+)%f[%s%z]")] or {}
      assert.is_true(known("HostConfig." .. field, { [field] = sample }), field)
      local ok, err = fields.check { HostConfig = { [field] = sample } }
      assert.is_true(ok, err)
    end
    local own = fs.read("backends/docker/fields.lua"):match("local HOST = record (%b{})")
    local flat = own:sub(2, -2):gsub("%b{}", "{}") -- its own fields only
    for field in flat:gmatch("(%u%w+) = ") do assert.is_string(list[field], field) end
  end)

  it("have the fields of what lists hold", function()
    for name, list in pairs { DeviceRequest = "DeviceRequests", Mount = "Mounts" } do
      for field in pairs(class(name)) do
        local path = string.format("HostConfig.%s[1].%s", list, field)
        assert.is_true(known(path, { [list] = { { [field] = 1 } } }), path)
      end
    end
  end)

  it("have what the inventory tells", scratch.with(function(_, path)
    local policies = policy.new({ policy_soft = 0.05, policy_hard = 0.4 })
    local host = inventory.read(policies:list(), gpus.make(path))
    policies:close()
    local gpu, machine = class("PolicyGpu"), class("PolicyHost")
    for _, one in ipairs(host.gpus) do
      for field in pairs(one) do assert.is_string(gpu[field], field) end
    end
    for field in pairs(host) do assert.is_string(machine[field], field) end
  end))

  it("have what a request may hold", function()
    local asked, resources = class("PolicyRequest"), class("PolicyResources")
    for field in pairs(request.SCHEMA.fields) do
      local hidden = field == "keys" or field == "provision_scripts"
      assert.equal(not hidden, asked[field] ~= nil, field)
    end
    for field in pairs(request.SCHEMA.fields.resources.fields) do
      assert.is_string(resources[field], field)
    end
    for class_name, field in pairs { PolicyVolume = "inputs", PolicyPort = "ports_to_bind" } do
      local typed = class(class_name)
      for name in pairs(request.SCHEMA.fields[field].of.fields) do
        assert.is_string(typed[name], name)
      end
    end
  end)

  it("have what a policy may have", scratch.with(function()
    for field, kind in pairs(class("Policy")) do
      local source = string.format("return { version = '1', %s = %s }", field,
        field == "examples" and "{}" or kind:find("^fun") and "function() end"
        or kind:find("^integer") and "1" or "'1'")
      local one = worker.new({ name = "p", source = source, modules = {} }, { soft = 1, hard = 2 })
      local _, err = one:load()
      one:close()
      assert.is_nil(err and err:find("unknown field", 1, true), field)
    end
  end))
end)
