local c = require "conformance.helper"

describe(c.name .. ": run", function()
  it("gives exit code, both outputs and times", c.with(function(ex)
    local result = assert(ex:run(c.request(c.sh("echo out; echo err >&2; exit 7"))))
    assert.same({ 7, "exited", "out\n", "err\n", false },
      { result.exit_code, result.reason, result.stdout, result.stderr, result.killed })
    assert.is_true(result.started_at <= result.finished_at)
    assert.same({ stdout = false, stderr = false }, result.truncated)
  end))

  it("is the same where all that it writes is synced", c.with(function(ex)
    local request = c.request(c.sh("echo out; echo err >&2; exit 7"))
    local id = assert(ex:start(request))
    local result = assert(ex:wait(id))
    assert.same({ 7, "exited", "out\n", "err\n" },
      { result.exit_code, result.reason, result.stdout, result.stderr })
    assert.is_nil(result.evidence.sync_errno)
    for _, event in ipairs(assert(ex:why(id))) do assert.not_equal("not_synced", event.event) end
    assert.is_true(ex:remove(id))
    assert.equal(7, assert(ex:wait(id)).exit_code)
  end, { settings = { stop_grace = 1, durability = "full" } }))

  it("keeps bytes as they are", c.with(function(ex)
    local result = assert(ex:run(c.request(c.sh([[printf 'hi\200\000\377end']]))))
    assert.equal("hi\128\0\255end", result.stdout)
  end))

  it("tells a signal from a code that looks like one", c.with(function(ex)
    if not c.is_init then
      local signalled = assert(ex:run(c.request(c.sh("kill -TERM $$; sleep 5"))))
      assert.same({ 143, "signaled" }, { signalled.exit_code, signalled.reason })
    end
    local code = assert(ex:run(c.request(c.sh("exit 143"))))
    assert.same({ 143, "exited" }, { code.exit_code, code.reason })
    assert.is_nil(code.signal)
  end))

  it("keeps arguments and variables whole", c.with(function(ex)
    local request = c.request({ "printf", "%s|", "a b", "", "$HOME", "*", "x\ny" })
    assert.equal("a b||$HOME|*|x\ny|", assert(ex:run(request)).stdout)
    local with = c.request(c.sh('printf "%s|%s|%s" "$MULTI" "$Q" "$A"'))
    with.engine_spec.params.environment = { "MULTI=l1\nl2\n", "Q=a\"b'c\\d$HOME `x`", "A=1", "A=2" }
    assert.equal("l1\nl2\n|a\"b'c\\d$HOME `x`|2", assert(ex:run(with)).stdout)
  end))

  it("is stopped at once by a time-out that its start outlasted", c.with(function(ex)
    local result = assert(ex:run(c.request(c.sh("sleep 30"), { timeout = 0.0001, stop_grace = 1 })))
    assert.equal("timeout", result.reason)
  end))

  it("ends a job at its time-out", c.with(function(ex)
    local result = assert(ex:run(c.request(c.sh("sleep 30"), { timeout = 0.2, stop_grace = 1 })))
    assert.equal("timeout", result.reason)
    assert.is_not_nil(result.error_msg)
  end))
end)
