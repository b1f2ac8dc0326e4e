local logs = require "support.logs"
local scratch = require "support.scratch"

local THREE = { { "stdout", "a\n" }, { "stderr", "b\n" }, { "stdout", "c\n" } }

describe("logread, where to begin and end", function()
  it("at the last lines of both streams", scratch.with(function(dir)
    logs.write(dir, { { "stdout", "1\n2\n" }, { "stderr", "3\n" }, { "stdout", "4\n5" } })
    local all = "1\n2\n3\n4\n5"
    for lines, expected in pairs { [0] = "", "5", "4\n5", "3\n4\n5", "2\n3\n4\n5", all, all } do
      assert.equal(expected, (logs.read(dir, { lines = lines })))
    end
    assert.equal("2\n4\n5", (logs.read(dir, { lines = 3, stream = "stdout" })))
    assert.equal("3\n", (logs.read(dir, { lines = 3, stream = "stderr" })))
  end))

  it("at the last lines of much output", scratch.with(function(dir)
    local pieces, n = {}, 0
    for i = 1, 300 do
      local lines = {}
      for k = 1, 50 do
        n = n + 1
        lines[k] = n .. ("."):rep(60) .. "\n"
      end
      pieces[i] = { i % 2 == 0 and "stderr" or "stdout", table.concat(lines) }
    end
    logs.write(dir, pieces)
    for _, lines in ipairs { 1, 49, 50, 51, 999, 14999, 15000, 20000 } do
      local text = logs.read(dir, { lines = lines })
      assert.equal(math.min(lines, n), select(2, text:gsub("\n", "")))
      assert.equal(tostring(math.max(1, n - lines + 1)), text:match("^%d+"))
    end
  end))

  it("at a time, up to a time", scratch.with(function(dir)
    logs.write(dir, THREE)
    local at = logs.START
    for since, expected in pairs { [at - 10] = "a\nb\nc\n", [at] = "a\nb\nc\n",
      [at + 0.5] = "b\nc\n", [at + 2] = "c\n", [at + 3] = "", [1e300] = "" } do
      assert.equal(expected, (logs.read(dir, { since = since })))
    end
    for last, expected in pairs { [at - 1] = "", [at] = "a\n", [at + 1.5] = "a\nb\n",
      [at + 9] = "a\nb\nc\n", [1e300] = "a\nb\nc\n" } do
      assert.equal(expected, (logs.read(dir, { ["until"] = last })))
    end
    assert.equal("b\n", (logs.read(dir, { since = at + 1, ["until"] = at + 1 })))
    assert.equal("c\n", (logs.read(dir, { since = at + 1, stream = "stdout" })))
    assert.equal("c\n", (logs.read(dir, { since = at, lines = 1 })))
  end))

  it("after what the files held before", scratch.with(function(dir)
    dir:write("stdout.log", "older\n")
    logs.write(dir, THREE)
    local from = { from_stdout = 6 }
    assert.equal("a\nb\nc\n", (logs.read(dir, from)))
    from.lines = 9
    assert.equal("a\nb\nc\n", (logs.read(dir, from)))
  end))
end)

describe("logread, with an index that is not whole", function()
  it("gives what the index does not know, after what it knows", scratch.with(function(dir)
    logs.write(dir, THREE)
    dir:append("stdout.log", "new\n")
    assert.equal("a\nb\nc\nnew\n", (logs.read(dir)))
    assert.equal("c\nnew\n", (logs.read(dir, { lines = 2 })))
    dir:unlink("log.idx")
    assert.equal("a\nc\nnew\nb\n", (logs.read(dir)))
    assert.equal("new\nb\n", (logs.read(dir, { lines = 2 })))
  end))

  it("leaves a torn record out", scratch.with(function(dir)
    logs.write(dir, THREE)
    local index = dir:read("log.idx")
    for cut = 1, 24 do
      dir:write("log.idx", index:sub(1, -1 - cut))
      assert.equal("a\nb\nc\n", (logs.read(dir)))
    end
  end))

  it("loses no byte that no record speaks of", scratch.with(function(dir)
    logs.write(dir, { { "stdout", "1\n" }, { "stdout", "2\n" }, { "stdout", "3\n" } })
    local index = dir:read("log.idx")
    dir:write("log.idx", index:sub(1, 24) .. index:sub(49))
    assert.equal("1\n2\n3\n", (logs.read(dir)))
    assert.equal("2\n3\n", (logs.read(dir, { lines = 2 })))
    dir:write("log.idx", index:sub(49))
    assert.equal("1\n2\n3\n", (logs.read(dir)))
    assert.equal("1\n2\n3\n", (logs.read(dir, { lines = 3 })))
  end))

  it("survives records of bytes that are not there", scratch.with(function(dir)
    logs.write(dir, THREE)
    local index = dir:read("log.idx")
    for _, bad in ipairs { logs.record(logs.START, "stdout", 2 ^ 52, 10),
      logs.record(logs.START, "stderr", 0, 2 ^ 52), ("\255"):rep(24), ("\0"):rep(24),
      ("\255"):rep(8) .. ("\127"):rep(16) } do
      for _, format in ipairs { "raw", "jsonl" } do
        dir:write("log.idx", bad .. index)
        local text = logs.read(dir, { format = format })
        assert.equal(3, select(2, text:gsub("[abc]\"?,?.-\n", "")))
        logs.read(dir, { format = format, lines = 2 })
        logs.read(dir, { format = format, since = logs.START + 1 })
      end
    end
  end))

  it("gives a file that somebody truncated from its new beginning", scratch.with(function(dir)
    logs.write(dir, { { "stdout", "before, and long\n" }, { "stderr", "e\n" } })
    dir:write("stdout.log", "")
    assert.equal("e\n", (logs.read(dir)))
    logs.write(dir, { { "stdout", "after\n" } })
    assert.equal("e\nafter\n", (logs.read(dir)))
    assert.equal("after\n", (logs.read(dir, { lines = 1 })))
    assert.equal("after\n", (logs.read(dir, { since = logs.START + 2, stream = "stdout" })))
    assert.equal("after\n", (logs.read(dir, { since = logs.START + 0.5, stream = "stdout" })))
  end))

  it("reads regular files only", scratch.with(function(dir)
    dir:mkfifo("stdout.log")
    dir:mkdir("stderr.log")
    dir:mkfifo("log.idx")
    assert.same({ "", "ok" }, { logs.read(dir, { lines = 2 }) })
  end))
end)
