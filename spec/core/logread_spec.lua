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
