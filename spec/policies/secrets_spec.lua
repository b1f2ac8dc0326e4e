--- What of a request is no policy's business: one that tells all that it is given shows none of it.

local base64 = require "exhost.base64"
local executor = require "exhost.executor"
local json = require "exhost.json"
local policy = require "exhost.policy"
local replay = require "exhost.policy.replay"
local request = require "exhost.request"
local scratch = require "support.scratch"
local summary = require "exhost.request.summary"

local CURIOUS = [[
local function show(value)
  if type(value) ~= "table" then return tostring(value) end
  local words = {}
  for key, item in pairs(value) do words[#words + 1] = tostring(key) .. "=" .. show(item) end
  return "{" .. table.concat(words, " ") .. "}"
end
return { name = "cpu", version = "MORE", host_config = function(request, host, config)
  print(show(request))
  config.Labels = { all = show(request) }
end }]]

--- A normalised request with something secret wherever there may be.
local function asked(more)
  local params = { image = "bb:1", username = "WHOSE", password = "SECRET",
    registry_auth = { username = "WHOSE", password = "SECRET", identitytoken = "SECRET" },
    environment = { "A=shown" } }
  for key, value in pairs(more or {}) do params[key] = value end
  return assert(request.normalise({ job_id = "job", execution_id = "job",
    keys = { { type = "gpg", file = "SECRET", dest = "/k" } },
    provision_scripts = { one = base64.encode "SECRET" },
    engine_spec = { type = "box", params = params },
  }, { params = { box = { type = "map", of = { type = "any" } } } }))
end

local function with(body)
  return scratch.with(function(dir, path)
    dir:write("cpu.lua", CURIOUS)
    local policies = policy.new { policy_soft = 0.05, policy_hard = 1 }
    local found = assert(policy.read(path .. "/cpu.lua"))
    policies:put(found)
    local ok, err = xpcall(body, debug.traceback, policies, path, found)
    policies:close()
    assert(ok, err)
  end)
end

describe("a policy that prints its request", function()
  it("shows no password, key or script, nor whose they are", with(function(policies)
    local given = asked { mmds_message = { a = "SECRET" }, other = { password = "SECRET" } }
    local before = json.encode(given)
    local decision = assert(policies:decide(given, {}, {}))
    local printed = table.concat(assert(policies:get "cpu").printed, "\n")
    for _, text in ipairs { printed, decision.config.Labels.value.all } do
      assert.matches("image=bb:1", text, 1, true)
      assert.matches("A=shown", text, 1, true)
      for _, word in ipairs { "SECRET", "WHOSE", "registry_auth", "password", "username", "keys",
        "provision_scripts", "mmds_message" } do
        assert.is_nil(text:find(word, 1, true), word)
      end
    end
    assert.equal(before, json.encode(given))
  end))

  it("shows none when recorded requests are replayed, which have none", with(
    function(_, path, found)
      local ex = assert(executor.open { id = "spec", state_dir = path .. "/state" })
      local record = { format = 1, phase = "running", backend = "docker", job_id = "job",
        execution_id = "job", created_at = "2026-01-01T00:00:00Z" }
      local stored = json.encode(request.for_disk(asked()))
      assert.is_nil(stored:find("SECRET", 1, true))
      assert.is_nil(stored:find("WHOSE", 1, true))
      local dir, lock = ex.state:create("job",
        { ["request.json"] = stored, ["state.json"] = json.encode(record) })
      assert(dir, lock)
      lock:close()
      dir:close()
      local text = json.encode(replay.run(ex, found))
      assert.matches("image=bb:1", text, 1, true)
      for _, word in ipairs { "SECRET", "WHOSE" } do assert.is_nil(text:find(word, 1, true)) end
      ex:close()
    end))

  it("is not in what a plan and a story tell either", function()
    for _, told in ipairs { request.for_display(asked()), summary(asked()) } do
      assert.is_nil(json.encode(told):find("SECRET", 1, true))
    end
  end)
end)
