--- Where an engine wants TLS, it is not spoken to.

local cli = require "support.cli"
local client = require "backends.docker.client"
local engine = require "support.engine"
local scratch = require "support.scratch"

--- What a run says under these variables. Suspends.
local function said(path, env)
  local _, failure = cli.at(path, env):json { "run", "-b", "docker", "--image", "bb:1", "true" }
  return failure.message, failure.code
end

local function context(path)
  assert(os.execute(string.format("cd %s && mkdir -p .docker/contexts/meta/a "
    .. [[.docker/contexts/tls/a/docker && echo '{"Name":"far","Endpoints":{"docker":{"Host":]]
    .. [["tcp://127.0.0.1:1"}}}' >.docker/contexts/meta/a/meta.json]], path)) == 0)
end

describe("docker: an engine's address", function()
  for name, case in pairs {
    DOCKER_TLS_VERIFY = { DOCKER_HOST = "tcp://127.0.0.1:1", DOCKER_TLS_VERIFY = "1" },
    DOCKER_TLS = { DOCKER_HOST = "tcp://127.0.0.1:1", DOCKER_TLS = "yes" },
    ["the context's certificates"] = { DOCKER_CONTEXT = "far" },
  } do
    it("is refused where TLS is wanted by " .. name, scratch.with(function(_, path)
      context(path)
      local err, code = said(path, case)
      assert.equal("invalid", code)
      assert.is_truthy(err:find("tcp://127.0.0.1:1: TLS is wanted there (" .. name .. ")", 1, true))
      assert.matches("unix socket, or a tunnel", err)
    end))
  end

  it("of a unix socket needs no TLS", scratch.with(function(_, path)
    local err = said(path, { DOCKER_HOST = "unix:///no/engine", DOCKER_TLS_VERIFY = "1" })
    assert.matches("/no/engine cannot be reached", err)
  end))

  it("at which somebody speaks TLS is told so", scratch.with(function(_, path)
    local e = engine.fake(path, { tls = true })
    local err, code = said(path, { DOCKER_HOST = "unix://" .. e.socket })
    e:quit()
    assert.equal("unavailable", code)
    assert.matches("wants TLS, and only plain TCP is spoken here", err)
  end))
end)

describe("docker: an engine's connection", function()
  it("that was kept and is closed as we ask makes no call fail", scratch.with(function(_, path)
    local e = engine.fake(path, { unsaid = true })
    local api = assert(client.open(e.socket))
    for _ = 1, 50 do
      local record, err = api:call("GET", "/containers/x/json")
      assert.equal("created", record and record.State.Status, err)
    end
    api:close()
    e:quit()
  end))
end)

describe("docker: an engine's API", function()
  for version, wanted in pairs {
    ["1.40"] = { "unsupported", "speaks API 1.40, older than 1.41" },
    ["none"] = { "unavailable", "does not speak Docker's API" },
  } do
    it("of version " .. version .. " is refused with words", scratch.with(function(_, path)
      local e = engine.fake(path, { api = version })
      local err, code = said(path, { DOCKER_HOST = "unix://" .. e.socket })
      e:quit()
      assert.equal(wanted[1], code)
      assert.is_truthy(err:find(wanted[2], 1, true), err)
    end))
  end

  it("is spoken as we know it where the engine's is newer, and else as the engine does",
    scratch.with(function(_, path)
      for version, spoken in pairs { ["9.9"] = "/v1.51/", ["1.41"] = "/v1.41/" } do
        local e = engine.fake(path, { api = version, many = 1, owner = "default" })
        local ran = cli.at(path, { DOCKER_HOST = "unix://" .. e.socket }):run { "cleanup" }
        assert.equal(0, ran.code, ran.err)
        assert.is_truthy(e.process:stdout():find(spoken, 1, true), version)
        e:quit()
      end
    end))

  --- A client of an engine that now speaks `now`, and refuses what is older in plain text.
  local function client_of(now, path)
    local api, asked = assert(client.open(path .. "/none.sock")), {}
    function api.exchange(_, request)
      asked[#asked + 1] = request.path
      if request.path == "/_ping" then return { status = 200, version = now, body = "OK" } end
      local fits = request.path:find("/v" .. now .. "/", 1, true)
      return fits and { status = 200, body = '{"a":1}' } or { status = 400,
        body = "client version 1.41 is too old. Minimum supported API version is 1.44\n" }
    end
    api.version = "1.41" -- of the engine that was there before
    return api, asked
  end

  it("may be another one after the engine was replaced", scratch.with(function(_, path)
    local api, asked = client_of("1.45", path)
    assert.same({ a = 1 }, api:call("GET", "/info"))
    assert.same({ "/v1.41/info", "/_ping", "/v1.45/info" }, asked)
    api:close()
  end))

  it("may be refused for good, in the engine's words", scratch.with(function(_, path)
    local api, asked = client_of("9.9", path)
    local _, err, code, data = api:call("GET", "/info")
    assert.matches("client version 1.41 is too old. Minimum supported API version is 1.44$", err)
    assert.same({ "unsupported", 400, 3 }, { code, data.status, #asked })
    api:close()
  end))
end)
