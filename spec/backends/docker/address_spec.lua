--- Where an engine wants TLS, it is not spoken to.

local cli = require "support.cli"
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
