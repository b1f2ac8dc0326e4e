--- Programs of the machine, run briefly.

local capture = require "exhost.capture"
local loop = require "exhost.loop"
local scratch = require "support.scratch"

local function sh(script, options)
  options = options or {}
  options.seconds = options.seconds or 20
  return capture.run({ "/bin/sh", "-c", script }, options)
end

describe("a program that is run for what it prints", function()
  it("gets its words, its stdin, and the environment that it is given, no other",
    scratch.with(function()
      assert.equal("two words\n", (sh("read a; echo $a", { input = "two words\n" })))
      assert.equal("A=1\n", (sh("/usr/bin/env | grep -v -e ^PWD -e ^SHLVL -e ^_=",
        { env = { "A=1" } })))
      assert.equal("a b;c\n", (capture.run({ "/bin/echo", "a b;c" }, { seconds = 20 })))
    end))

  it("has failed when its status says so, and what it printed is told", scratch.with(function()
    assert.same({ n = 3, nil, "exit status 3", "why\n" },
      { n = 3, sh "echo why; exit 3" })
    assert.equal("killed by signal 9", (select(2, sh "kill -9 $$")))
    assert.matches("ENOENT", (select(2, capture.run({ "/no/such" }, { seconds = 1 }))))
  end))

  it("is killed when its time is over", scratch.with(function()
    local before = loop.now()
    local out, err = sh("exec sleep 60", { seconds = 0.1 })
    assert.same({ nil, "timeout" }, { out, err })
    assert.is_true(loop.now() - before < 20)
  end))

  it("is not read for ever", scratch.with(function()
    assert.equal(65536, #sh "head -c 1000000 /dev/zero")
    assert.equal(100000, #sh("head -c 1000000 /dev/zero", { max = 100000 }))
  end))

  it("is heard on stderr where that is wanted, and has descriptors that it is given",
    scratch.with(function(dir)
      assert.equal("out\n", (sh "echo out; echo err >&2"))
      assert.equal("out\nerr\n", (sh("echo out; echo err >&2", { errors = true })))
      assert.equal("", (sh("echo made >/proc/self/fd/7/file", { fds = { [7] = dir:fd() } })))
      assert.equal("made\n", dir:read("file", 100))
    end))
end)
