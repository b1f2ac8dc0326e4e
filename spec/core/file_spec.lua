local async = require "exhost.async"
local command = require "support.command"
local dirs = require "exhost.dir"
local scratch = require "support.scratch"

local BAD_NAMES = { "", ".", "..", "a/b", "/", "/etc", "../x", "a\0b", "\0" }

local sh = command.fixture
local code_of = command.code_of

describe("dir:read and read_at", function()
  it("give the bytes", scratch.with(function(dir)
    local bytes = ("\0\255\n"):rep(100000)
    dir:write("f", bytes)
    assert.equal(bytes, dir:read("f"))
    assert.equal(bytes, dir:read("f", #bytes))
    assert.equal("EFBIG", code_of(dir:read("f", #bytes - 1)))
    dir:write("empty", "")
    assert.same({ "", "" }, { dir:read("empty"), dir:read("empty", 0) })
    assert.equal("ENOENT", code_of(dir:read("none")))
    assert.has_error(function() dir:read("f", -1) end)
    assert.has_error(function() dir:read("f", 0 / 0) end)
  end))

  it("read_at counts from either end", scratch.with(function(dir)
    dir:write("f", "0123456789")
    local cases = { { 0, 3, "012" }, { 8, 9, "89" }, { 10, 1, "" }, { 99, 1, "" }, { -2, 9, "89" },
      { -99, 2, "01" }, { 3, 0, "" }, { -3, 2, "78" } }
    for _, case in ipairs(cases) do
      assert.equal(case[3], dir:read_at("f", case[1], case[2]))
    end
    assert.equal("ENOENT", code_of(dir:read_at("none", 0, 1)))
    assert.has_error(function() dir:read_at("f", 0, -1) end)
    assert.has_error(function() dir:read_at("f", 0, 1e12) end)
    assert.has_error(function() dir:read_at("f", 0 / 0, 1) end)
  end))

  it("read regular files only, and never wait", scratch.with(function(dir)
    dir:mkfifo("fifo")
    dir:mkdir("dir")
    for _, name in ipairs { "fifo", "dir" } do
      assert.equal("EINVAL", code_of(dir:read(name)))
      assert.equal("EINVAL", code_of(dir:read_at(name, 0, 1)))
      assert.equal("EINVAL", code_of(dirs.open("/dev"):read("null")))
    end
  end))

  it("read files that do not know their size", function()
    assert.matches("^%d+%.%d+ ", dirs.open("/proc"):read("uptime"))
  end)
end)

describe("dir:write", function()
  it("replaces the whole file, mode 0600 under any umask", scratch.with(function(dir, path)
    assert.is_true(dir:write("f", "one"))
    assert.is_true(dir:write("f", "2"))
    assert.equal("2", dir:read("f"))
    local ran = command.lua([[
      local d = require("exhost.dir").open(...)
      assert(d:write("w", "x") and d:append("a", "x") and d:link_once("l", "x"))
      assert(d:lock("k") and d:mkdir("d") and d:mkfifo("p"))
    ]], { args = { path } })
    assert.equal(0, ran.code, ran.err)
    assert.equal("600\n600\n", sh("stat -c %a $D/w $D/l", path))
  end))

  it("does not open to others what a umask of 0 would", scratch.with(function(dir, path)
    dir:write("s.lua", [[
      local d = require("exhost.dir").open(...)
      assert(d:write("w", "x") and d:append("a", "x") and d:link_once("l", "x"))
      assert(d:lock("k") and d:mkdir("d") and d:mkfifo("p"))
      assert(require("exhost.dir").open((...) .. "/x/y", { create = true }))
    ]])
    local ran = command.sh("umask 0; $exhost lua $D/s.lua $D", { env = { D = path } })
    assert.equal(0, ran.code, ran.err)
    assert.equal("", sh("find $D -mindepth 1 -perm /077", path))
  end))

  it("leaves nothing behind when it fails", scratch.with(function(dir, path)
    dir:mkdir("d")
    assert.equal("EISDIR", code_of(dir:write("d", "x")))
    assert.equal("EEXIST", code_of(dir:link_once("d", "x")))
    assert.equal("d\n", sh("ls -A $D", path))
    local full = dirs.open("/proc/self")
    assert.is_nil((full:write("x", "y")))
  end))

  it("shows readers the old or the new content and nothing between", scratch.with(
    function(dir, path)
      local a, b = ("a"):rep(100000), ("b"):rep(100000)
      dir:write("f", a)
      local writer = command.start(command.program, { "exhost", "lua", "/proc/self/fd/9", path },
        { fds = { [9] = dirs.memory("s", [[
          local d = require("exhost.dir").open(...)
          for _ = 1, 300 do
            d:write("f", ("a"):rep(100000))
            d:write("f", ("b"):rep(100000))
          end]]):number() } })
      repeat
        local content = dir:read("f")
        assert.is_true(content == a or content == b)
        async.sleep(0)
      until writer.ended
      assert.equal(0, writer:wait().code)
    end))
end)

describe("dir:link_once and link_synced", function()
  it("let the first one win", scratch.with(function(dir)
    assert.is_true(dir:link_once("f", "1"))
    assert.same({ nil, "EEXIST: file already exists", "EEXIST" }, { dir:link_once("f", "2") })
    assert.is_true(dir:link_once("g", "1"))
    assert.equal("1", dir:read("f"))
    assert.same(2, #dir:list())
  end))

  it("off the loop as well", scratch.with(function(dir)
    local function linked(name, data)
      return async.await(function(done)
        local ok, err, code = dir:link_synced(name, data, done)
        if not ok then done(nil, err, code) end
      end)
    end
    assert.is_true(linked("f", "1"))
    assert.equal("EEXIST", code_of(linked("f", "2")))
    assert.equal("1", dir:read("f"))
    local long = ("n"):rep(200)
    assert.is_true(linked(long, "whole name"))
    assert.equal("whole name", dir:read(long))
    assert.equal("ENAMETOOLONG", code_of(linked(("n"):rep(256), "x")))
    for _, name in ipairs(BAD_NAMES) do assert.equal("EINVAL", code_of(linked(name, "x"))) end
    assert.has_error(function() dir:link_synced("f", "x") end)
  end))

  it("works on though the folder's handle is closed meanwhile", scratch.with(function(dir, path)
    local other = dirs.open(path)
    local ok = async.await(function(done)
      assert(other:link_synced("late", "x", done))
      other:close()
    end)
    assert.same({ true, "x" }, { ok, dir:read("late") })
  end))

  it("let one of several processes win, and all see it whole", scratch.with(function(dir, path)
    dir:write("s.lua", [[
      local dir = require("exhost.dir").open(arg[1])
      while not dir:stat("go") do end
      local ok, _, code = dir:link_once("result", ("%s"):format(arg[2]):rep(50000))
      assert(ok or code == "EEXIST")
      print(ok and "won" or "lost")
    ]])
    local running = {}
    for i = 1, 6 do
      running[i] = command.start(command.program,
        { "exhost", "lua", path .. "/s.lua", path, tostring(i) })
    end
    async.sleep(0.1)
    dir:write("go", "")
    local won, winner = 0, nil
    for i, one in ipairs(running) do
      local ran = one:wait()
      assert.equal(0, ran.code, ran.err)
      if ran.out == "won\n" then won, winner = won + 1, i end
    end
    assert.equal(1, won)
    assert.equal(tostring(winner):rep(50000), dir:read("result"))
  end))
end)

describe("dir:sync", function()
  local function synced(dir, names)
    return async.await(function(done)
      local ok, err, code = dir:sync(names, done)
      if not ok then done(nil, err, code) end
    end)
  end

  it("waits for files and the folder", scratch.with(function(dir)
    dir:write("f", "1")
    dir:write("g", "")
    assert.is_true(synced(dir, { "f", "g" }))
    assert.is_true(synced(dir, {}))
  end))

  it("answers what cannot be synced", scratch.with(function(dir)
    dir:write("f", "1")
    dir:mkdir("d")
    dir:mkfifo("p")
    assert.same({ nil, "ENOENT: no such file or directory", "ENOENT" },
      { synced(dir, { "f", "missing" }) })
    for _, name in ipairs { "d", "p" } do assert.equal("EINVAL", code_of(synced(dir, { name }))) end
    for _, name in ipairs(BAD_NAMES) do assert.equal("EINVAL", code_of(synced(dir, { name }))) end
    for _, arguments in ipairs { { "f", print }, { { "f" } }, { { 1 }, print }, { nil, print } } do
      assert.has_error(function() dir:sync(arguments[1], arguments[2]) end)
    end
  end))

  it("works on though the folder's handle is closed meanwhile", scratch.with(function(dir, path)
    dir:write("f", "1")
    local other = dirs.open(path)
    assert.is_true(async.await(function(done)
      assert(other:sync({ "f" }, done))
      other:close()
    end))
  end))
end)

describe("dir:append", function()
  it("adds up to a limit", scratch.with(function(dir)
    assert.is_true(dir:append("f", "abc"))
    assert.is_true(dir:append("f", "def", 6))
    assert.is_false(dir:append("f", "g", 6))
    assert.is_false(dir:append("f", ("x"):rep(10), 15))
    assert.is_true(dir:append("f", "g", 7))
    assert.equal("abcdefg", dir:read("f"))
  end))

  it("writes to regular files only, and never waits", scratch.with(function(dir)
    dir:mkfifo("fifo")
    dir:mkdir("dir")
    assert.equal("EINVAL", code_of(dir:append("fifo", "x")))
    assert.equal("EISDIR", code_of(dir:append("dir", "x")))
  end))

  it("tells of a full disk", function()
    assert.equal("EINVAL", code_of(dirs.open("/dev"):append("full", "x")))
  end)
end)
