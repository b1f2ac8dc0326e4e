--- What an engine says of a container that it makes all the same. No engine here lacks a limit, so
-- the words of one that does are put into a real one's answer.

local docker = require "support.docker"

local SWAP = "Your kernel does not support swap limit capabilities or the cgroup is not mounted. "
  .. "Memory limited without swap."
local OTHER = "IPv4 forwarding is disabled. Networking will not work."

local function with(body, settings)
  return docker.with(function(ex)
    local api = assert(ex:backend()).api
    function api:call(method, path, options)
      local answer, err, code, data = getmetatable(self).__index.call(self, method, path, options)
      if answer and path == "/containers/create" then answer.Warnings = { SWAP, OTHER } end
      return answer, err, code, data
    end
    body(ex)
  end, settings)
end

describe("docker: a warning of the engine", function()
  it("is told of the execution, and in the result where a limit is not kept", with(function(ex)
    local asked = docker.sh("exit 3")
    assert(ex:start(asked))
    assert.same({ "the engine: " .. SWAP, "the engine: " .. OTHER },
      ex:info(asked.execution_id).warnings)
    assert.same({ SWAP }, assert(ex:wait(asked.execution_id)).evidence.unenforced)
  end))

  it("of a limit is an error where limits are strict, and nothing is left", with(function(ex)
    local asked = docker.sh("exit 3")
    local _, err, code = ex:start(asked)
    assert.equal("unsupported", code)
    assert.matches("enforce is strict%): " .. SWAP:sub(1, 30), err)
    assert.equal("not_found", select(3, ex:status(asked.execution_id)))
    assert.same({}, docker.containers(ex))
  end, { enforce = "strict" }))
end)
