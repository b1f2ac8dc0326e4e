local base64 = require "exhost.base64"
local json = require "exhost.json"
local logread = require "exhost.logread"
local logs = require "support.logs"
local scratch = require "support.scratch"
local system = require "exhost.system"

local THREE = { { "stdout", "a\n" }, { "stderr", "b\n" }, { "stdout", "c\n" } }

local function values(text, key)
  local list = {}
  for line in text:gmatch("[^\n]+") do list[#list + 1] = json.decode(line)[key] end
  return list
end

local function frame(stream, bytes)
  return string.char(stream, 0, 0, 0, math.floor(#bytes / 2 ^ 24), math.floor(#bytes / 65536) % 256,
    math.floor(#bytes / 256) % 256, #bytes % 256) .. bytes
end

--- Every frame of a stream: { stream number, bytes }.
local function frames(text)
  local list, at = {}, 1
  while at <= #text do
    local stream, _, _, _, a, b, c, d = text:byte(at, at + 7)
    local len = ((a * 256 + b) * 256 + c) * 256 + d
    list[#list + 1] = { stream, text:sub(at + 8, at + 7 + len) }
    at = at + 8 + len
  end
  return list
end

describe("logread, raw", function()
  it("gives the bytes in the order of the index, or of one stream", scratch.with(function(dir)
    logs.write(dir, THREE)
    assert.equal("a\nb\nc\n", (logs.read(dir)))
    assert.equal("a\nc\n", (logs.read(dir, { stream = "stdout" })))
    assert.equal("b\n", (logs.read(dir, { stream = "stderr", format = "raw" })))
    assert.equal("", (logs.read(dir, { tail = true })))
  end))

  it("gives nothing where there is nothing", scratch.with(function(dir)
    for _, format in ipairs { "raw", "frames", "jsonl" } do
      assert.same({ "", "ok" }, { logs.read(dir, { format = format, lines = 3 }) })
    end
    logs.write(dir, {})
    assert.same({ "", "ok" }, { logs.read(dir, { since = 1, ["until"] = 2 }) })
  end))

  it("gives every byte of much binary output", scratch.with(function(dir)
    local all, pieces = {}, {}
    for i = 1, 40 do
      local bytes = {}
      for k = 1, 25000 do bytes[k] = string.char((i * 7 + k * k) % 256) end
      all[i] = table.concat(bytes)
      pieces[i] = { i % 3 == 0 and "stderr" or "stdout", all[i] }
    end
    logs.write(dir, pieces)
    local whole = table.concat(all)
    assert.is_true(whole == logs.read(dir))
    local joined = {}
    for i, f in ipairs(frames((logs.read(dir, { format = "frames" })))) do joined[i] = f[2] end
    assert.is_true(whole == table.concat(joined))
  end))

  it("goes into files too, appending ones, and devices", scratch.with(function(dir, path)
    logs.write(dir, THREE)
    for name, mode in pairs { file = "w", appended = "a" } do
      local file = io.open(path .. "/" .. name, mode)
      file:write("x")
      file:flush()
      local number
      for fd in pairs(scratch.descriptors()) do
        if system.real_path("/proc/self/fd/" .. fd) == path .. "/" .. name then number = fd end
      end
      local target = assert(logread.own_output(number))
      local reading = logs.open(dir, { target = target })
      while not reading.ended do require("exhost.async").sleep(0.001) end
      assert.equal("ok", reading.code)
      reading:close()
      file:close()
      assert.equal("xa\nb\nc\n", dir:read(name))
    end
  end))
end)

describe("logread, frames", function()
  it("leads each piece with its stream and length", scratch.with(function(dir)
    logs.write(dir, THREE)
    assert.equal(frame(1, "a\n") .. frame(2, "b\n") .. frame(1, "c\n"),
      (logs.read(dir, { format = "frames" })))
  end))

  it("keeps frames small, and stamps inside of them", scratch.with(function(dir)
    local line = ("x"):rep(200000) .. "\n"
    logs.write(dir, { { "stderr", line } })
    local joined = {}
    for i, f in ipairs(frames((logs.read(dir, { format = "frames" })))) do
      assert.is_true(f[1] == 2 and #f[2] <= 65536)
      joined[i] = f[2]
    end
    assert.is_true(line == table.concat(joined))
    logs.write(dir, { { "stdout", "y\n" } })
    assert.equal(frame(1, "2026-01-02T03:00:01.000000000Z y\n"), (logs.read(dir,
      { format = "frames", timestamps = true, stream = "stdout" })))
  end))
end)

describe("logread, timestamps", function()
  it("lead each line once, however it came", scratch.with(function(dir)
    logs.write(dir, { { "stdout", "one\ntw" }, { "stderr", "err" }, { "stdout", "o\nthree" } })
    assert.equal("2026-01-02T03:00:00.000000000Z one\n2026-01-02T03:00:00.000000000Z two\n"
      .. "2026-01-02T03:00:02.000000000Z three",
      (logs.read(dir, { timestamps = true, stream = "stdout" })))
  end))
end)

describe("logread, jsonl", function()
  it("gives an object a line, with its stream and time", scratch.with(function(dir)
    logs.write(dir, { { "stdout", 'say "hi"\\\t\n' }, { "stderr", "naïve 日本\n\n" } })
    local text = logs.read(dir, { format = "jsonl" })
    assert.same({ 'say "hi"\\\t', "naïve 日本", "" }, values(text, "data"))
    assert.same({ "stdout", "stderr", "stderr" }, values(text, "stream"))
    assert.equal("2026-01-02T03:00:00.000000000Z", values(text, "time")[1])
    assert.is_nil(text:find("partial"))
    assert.is_nil(text:find("base64"))
  end))

  it("puts lines together, and says what has no end", scratch.with(function(dir)
    logs.write(dir, { { "stdout", "on" }, { "stderr", "err" }, { "stdout", "e\ntwo" } })
    local text = logs.read(dir, { format = "jsonl" })
    assert.same({ "one", "two", "err" }, values(text, "data"))
    assert.same({ nil, true, true }, { unpack({ json.decode(text:match("^[^\n]+")).partial,
      unpack(values(text:match("\n(.*)"), "partial")) }, 1, 3) })
  end))

  it("is text whatever the bytes are, and gives them exactly", scratch.with(function(dir)
    local bytes = "hi\200\0\255end \237\160\128 \192\175 \240\144\128"
    logs.write(dir, { { "stdout", bytes .. "\n" } })
    local line = json.decode((logs.read(dir, { format = "jsonl" })))
    assert.equal(bytes, base64.decode(line.data_base64))
    assert.is_true(require("exhost.text").valid(line.data))
    assert.equal("hi\239\191\189\0\239\191\189end", line.data:sub(1, 12))
  end))

  it("cuts a long line in parts, and no character in two", scratch.with(function(dir)
    for _, lead in ipairs { "", "x", "xx", "xxx" } do
      local line = lead .. ("日本語😀"):rep(4000)
      dir:remove_tree("logs")
      local sub = dir:open("logs", true)
      logs.write(sub, { { "stdout", line:sub(1, 30001) }, { "stdout", line:sub(30002) .. "\n" } })
      local text = logs.read(sub, { format = "jsonl" })
      assert.is_nil(text:find("base64"))
      local parts = values(text, "data")
      assert.is_true(#parts > 2)
      assert.equal(#parts - 1, #values(text, "partial"))
      assert.is_true(line == table.concat(parts))
      sub:close()
    end
  end))
end)

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

describe("logread.open", function()
  it("refuses other arguments", scratch.with(function(dir)
    local function raises(message, options)
      options.on_end = options.on_end or print
      local ok, err = pcall(logread.open, dir, dir, options)
      assert.is_false(ok)
      assert.matches(message, err, 1, true)
    end
    raises("format: expected raw, frames or jsonl, got xml", { target = 1, format = "xml" })
    raises("stream: expected stdout or stderr, got both", { target = 1, stream = "both" })
    raises("lines: expected a number, got string", { target = 1, lines = "1" })
    raises("function expected", { target = 1, on_end = 1 })
    assert.equal("EBADF", select(3, logread.open(dir, dir, { on_end = print })))
    assert.equal("EBADF", select(3, logread.open(dir, dir, { on_end = print, target = 9999 })))
    assert.equal("EBADF", select(3, logread.own_output(9999)))
  end))
end)
