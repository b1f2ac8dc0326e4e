local c = require "conformance.helper"
local json = require "exhost.json"

local function stream(ex, id, options)
  return c.read(assert(ex:get_log_stream(id, options)))
end

describe(c.name .. ": get_log_stream", function()
  it("gives what a finished execution wrote, by stream too", c.with(function(ex)
    local request = c.request(c.sh("echo a; sleep 0.05; echo b >&2; sleep 0.05; echo c"))
    local id = request.execution_id
    assert(ex:run(request))
    assert.equal("a\nb\nc\n", stream(ex, id, {}))
    assert.equal("a\nb\nc\n", stream(ex, id, { follow = true }))
    assert.equal("a\nc\n", stream(ex, id, { stream = "stdout" }))
    assert.equal("b\n", stream(ex, id, { stream = "stderr" }))
    assert.equal("", stream(ex, id, { tail = true }))
  end))

  it("gives the last lines", c.with(function(ex)
    local request = c.request(c.sh("for i in 1 2 3 4 5; do echo $i; sleep 0.02; done; printf end"))
    local id = request.execution_id
    assert(ex:run(request))
    local all = "1\n2\n3\n4\n5\nend"
    for lines, expected in pairs { [0] = "", [1] = "end", [2] = "5\nend", [6] = all,
      [99] = all } do
      assert.equal(expected, stream(ex, id, { lines = lines }))
    end
  end))

  it("follows to the end", c.with(function(ex)
    local request = c.request(c.sh("echo one; sleep 0.2; echo two"))
    assert(ex:start(request))
    assert.equal("one\ntwo\n", stream(ex, request.execution_id, { follow = true }))
  end))

  it("leaves out history", c.with(function(ex)
    local request = c.request(c.sh("echo old; sleep 0.4; echo new"))
    assert(ex:start(request))
    c.wait_for_output(ex, request.execution_id, "old\n")
    assert.equal("new\n", stream(ex, request.execution_id, { follow = true, tail = true }))
  end))

  it("stamps lines and frames streams", c.with(function(ex)
    local request = c.request(c.sh("echo a; echo b >&2"))
    local id = request.execution_id
    assert(ex:run(request))
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d+Z a\n$",
      stream(ex, id, { timestamps = true, stream = "stdout" }))
    assert.equal("\1\0\0\0\0\0\0\2a\n", stream(ex, id, { format = "frames", stream = "stdout" }))
    local line = assert(json.decode(stream(ex, id, { format = "jsonl", stream = "stderr" })))
    assert.same({ "b", "stderr" }, { line.data, line.stream })
  end))

  it("gives every byte of binary output as JSON lines", c.with(function(ex)
    local request = c.request(c.sh([[printf 'x\377\000y\n']]))
    assert(ex:run(request))
    local line = assert(json.decode(stream(ex, request.execution_id, { format = "jsonl" })))
    assert.equal("x\255\0y", require("exhost.base64").decode(line.data_base64))
  end))

  it("bounds by time", c.with(function(ex)
    local times = require "exhost.times"
    local request = c.request(c.sh("echo a; sleep 0.3; echo b"))
    local result = assert(ex:run(request))
    local sec, nsec = times.parse_rfc3339(result.started_at)
    local middle = sec + nsec / 1e9 + 0.15
    local id = request.execution_id
    assert.equal("b\n", stream(ex, id, { since = middle }))
    assert.equal("a\n", stream(ex, id, { ["until"] = middle }))
  end))

  it("works after remove", c.with(function(ex)
    local request = c.request(c.sh("echo kept"))
    assert(ex:run(request))
    assert(ex:remove(request.execution_id))
    assert.equal("kept\n", stream(ex, request.execution_id, { follow = true }))
  end))

  it("refuses unknown ids and options", c.with(function(ex)
    local _, _, code = ex:get_log_stream("nobody", {})
    assert.equal("not_found", code)
    local _, err, invalid = ex:get_log_stream("nobody", { formt = "raw" })
    assert.equal("invalid", invalid)
    assert.matches("formt", err)
  end))
end)
