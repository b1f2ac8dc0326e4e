local async = require "exhost.async"
local command = require "support.command"
local dirs = require "exhost.dir"
local scratch = require "support.scratch"
local system = require "exhost.system"

local BAD_NAMES = { "", ".", "..", "a/b", "/", "/etc", "../x", "a\0b", "\0" }

--- Run something that Lua alone cannot: link, chmod, mount-free fixtures.
local function sh(script, path)
  local ran = command.run("/bin/sh", { "sh", "-ec", script }, { env = { D = path } })
  assert(ran.code == 0, ran.err)
  return ran.out
end

local function code_of(_, _, code)
  return code
end

describe("dir.open", function()
  it("opens, makes with parents, and says what is missing", scratch.with(function(_, path)
    assert.same({ nil, "ENOENT: no such file or directory", "ENOENT" },
      { dirs.open(path .. "/a/b") })
    local made = assert(dirs.open(path .. "/a/b/c", { create = true, mode = 493 }))
    made:close()
    assert.equal("755\n755\n755\n", sh("stat -c %a $D/a $D/a/b $D/a/b/c", path))
    assert(dirs.open(path .. "/p", { create = true })):close()
    assert.equal("700\n", sh("stat -c %a $D/p", path))
  end))

  it("refuses relative paths, files, and paths with a NUL", scratch.with(function(dir, path)
    dir:write("file", "x")
    assert.equal("EINVAL", code_of(dirs.open("tmp")))
    assert.equal("EINVAL", code_of(dirs.open("")))
    assert.equal("EINVAL", code_of(dirs.open(path .. "\0/../..")))
    assert.equal("ENOTDIR", code_of(dirs.open(path .. "/file")))
    assert.equal("ENOTDIR", code_of(dirs.open(path .. "/file/x", { create = true })))
    assert.equal("ENAMETOOLONG", code_of(dirs.open("/" .. ("x/"):rep(5000))))
    assert.has_error(function() dirs.open() end)
  end))

  it("follows symlinks in a path that people wrote, not below", scratch.with(function(dir, path)
    sh("mkdir $D/real; ln -s $D/real $D/link", path)
    assert(dirs.open(path .. "/link")):close()
    assert.equal("ENOTDIR", code_of(dir:open("link")))
    assert.equal("ENOTDIR", code_of(dir:open("link", true)))
    assert(dir:open("real")):close()
  end))

  it("answers errors on a closed folder", scratch.with(function(_, path)
    local dir = dirs.open(path)
    dir:close()
    dir:close()
    assert.has_error(function() dir:list() end)
    assert.has_error(function() dir:fd() end)
    assert.equal("exhost.dir", getmetatable(dir))
  end))
end)

describe("names below a folder", function()
  local METHODS = { "open", "mkdir", "mkfifo", "unlink", "remove_tree", "stat", "read", "lock" }

  it("are single components, in every function", scratch.with(function(dir)
    for _, name in ipairs(BAD_NAMES) do
      for _, method in ipairs(METHODS) do
        assert.equal("EINVAL", code_of(dir[method](dir, name)), method .. " " .. name)
      end
      assert.equal("EINVAL", code_of(dir:open(name, true)))
      assert.equal("EINVAL", code_of(dir:write(name, "x")))
      assert.equal("EINVAL", code_of(dir:append(name, "x")))
      assert.equal("EINVAL", code_of(dir:link_once(name, "x")))
      assert.equal("EINVAL", code_of(dir:fifo_write(name, "x")))
      assert.equal("EINVAL", code_of(dir:read_at(name, 0, 1)))
      for _, method in ipairs { "rename", "rename_new" } do
        assert.equal("EINVAL", code_of(dir[method](dir, name, dir, "x")))
        assert.equal("EINVAL", code_of(dir[method](dir, "x", dir, name)))
      end
    end
    assert.same({}, dir:list())
  end))

  it("are never followed when they are symlinks", scratch.with(function(dir, path)
    sh("mkdir $D/in; echo secret > $D/target; ln -s $D/target $D/in/link; mkfifo $D/fifo; "
      .. "ln -s $D/fifo $D/in/fifo; ln -s $D/nowhere $D/in/dangling", path)
    local below = dir:open("in")
    for _, name in ipairs { "link", "dangling" } do
      assert.equal("ELOOP", code_of(below:read(name)))
      assert.equal("ELOOP", code_of(below:read_at(name, 0, 1)))
      assert.equal("ELOOP", code_of(below:append(name, "x")))
      assert.equal("ELOOP", code_of(below:lock(name)))
      assert.equal("link", below:stat(name).kind)
    end
    assert.equal("ELOOP", code_of(below:fifo_write("fifo", "x")))
    -- Replacing puts a file where the link was; what it named is as before.
    assert.is_true(below:write("link", "mine"))
    assert.same({ "secret\n", "mine" }, { dir:read("target"), below:read("link") })
    assert.equal("EEXIST", code_of(below:link_once("dangling", "x")))
    assert.equal("ENOENT", code_of(dir:stat("nowhere")))
    below:close()
  end))

  it("may be any other bytes", scratch.with(function(dir)
    for _, name in ipairs { " ", "\255\254", "naïve", "a\nb", ("n"):rep(255), "..." } do
      assert.is_true(dir:write(name, name))
      assert.equal(name, dir:read(name))
      assert.is_true(dir:unlink(name))
    end
    assert.equal("ENAMETOOLONG", code_of(dir:stat(("n"):rep(256))))
  end))
end)

describe("dir:is_private", function()
  it("is true for a folder of ours that is closed to others", scratch.with(function(dir, path)
    assert.is_true(dir:is_private())
    for _, mode in ipairs { "0701", "0710", "0740", "0777" } do
      sh("chmod " .. mode .. " $D", path)
      assert.equal("EACCES", code_of(dir:is_private()))
    end
  end))

  it("is false for a folder of somebody else", scratch.with(function(dir, path)
    if system.ids() ~= 0 then return pending("needs root") end
    sh("chown 12345 $D", path)
    assert.equal("EACCES", code_of(dir:is_private()))
  end))
end)

describe("dir:mkdir, mkfifo, unlink, stat, list", function()
  it("make, tell and remove", scratch.with(function(dir, path)
    assert.is_true(dir:mkdir("d"))
    assert.is_true(dir:mkfifo("f"))
    sh("umask 0; : > $D/open; chmod 640 $D/open; ln $D/open $D/two", path)
    assert.same({ "EEXIST", "EEXIST" }, { code_of(dir:mkdir("d")), code_of(dir:mkfifo("d")) })
    assert.equal("directory", dir:stat("d").kind)
    assert.equal("fifo", dir:stat("f").kind)
    local st = dir:stat("open")
    assert.same({ "file", 0, 2, 416, (system.ids()) },
      { st.kind, st.size, st.links, st.mode, st.uid })
    assert.is_true(math.abs(st.mtime - os.time()) < 60)
    assert.equal("other", dirs.open("/dev"):stat("null").kind)
    local names = dir:list()
    table.sort(names)
    assert.same({ "d", "f", "open", "two" }, names)
    assert.equal("EISDIR", code_of(dir:unlink("d")))
    assert.is_true(dir:unlink("f"))
    assert.equal("ENOENT", code_of(dir:unlink("f")))
    assert.equal("ENOENT", code_of(dir:stat("f")))
  end))

  it("lists a big folder again and again, without temporary files", scratch.with(function(dir)
    for i = 1, 3000 do dir:link_once("n" .. i, "") end
    dir:append(".tmp-leftover", "x")
    dir:append(".hidden", "x")
    assert.equal(3001, #dir:list())
    assert.equal(3001, #dir:list())
  end))
end)

describe("dir:rename and rename_new", function()
  it("replace, or refuse a name that is taken", scratch.with(function(dir)
    dir:mkdir("other")
    local other = dir:open("other")
    dir:write("a", "1")
    other:write("b", "2")
    assert.equal("EEXIST", code_of(dir:rename_new("a", other, "b")))
    assert.equal("2", other:read("b"))
    assert.is_true(dir:rename("a", other, "b"))
    assert.equal("1", other:read("b"))
    assert.is_true(other:rename_new("b", dir, "c"))
    assert.equal("1", dir:read("c"))
    assert.equal("ENOENT", code_of(dir:rename("a", dir, "z")))
    assert.equal("ENOENT", code_of(dir:rename_new("a", dir, "z")))
    assert.has_error(function() dir:rename("a", "dir", "z") end)
    other:close()
  end))

  it("let one of many folders win a name", scratch.with(function(dir)
    local won = 0
    for i = 1, 20 do
      dir:mkdir("new" .. i)
      if dir:rename_new("new" .. i, dir, "id") then won = won + 1 end
    end
    assert.equal(1, won)
  end))
end)

describe("dir:remove_tree", function()
  it("removes all below, and nothing that links lead to", scratch.with(function(dir, path)
    sh([[mkdir -p $D/keep/sub $D/gone/a/b/c; echo x > $D/keep/file; echo y > $D/keep/sub/file
      ln -s $D/keep $D/gone/link; ln -s ../keep/file $D/gone/a/file; ln -s / $D/gone/a/b/root
      ln -s $D/gone $D/gone/a/b/c/loop; mkfifo $D/gone/a/fifo; chmod 0 $D/gone/a/b/c
      ln $D/keep/file $D/gone/hard]], path)
    assert.is_true(dir:remove_tree("gone"))
    assert.same({ "keep" }, dir:list())
    assert.equal("x\ny\n", sh("cat $D/keep/file $D/keep/sub/file", path))
  end))

  it("removes a file or a link itself, and takes absence for success", scratch.with(
    function(dir, path)
      sh("mkdir $D/keep; ln -s keep $D/link; : > $D/file", path)
      assert.is_true(dir:remove_tree("link"))
      assert.is_true(dir:remove_tree("file"))
      assert.is_true(dir:remove_tree("nothing"))
      assert.same({ "keep" }, dir:list())
    end))

  it("removes a tree deeper than it has descriptors for", scratch.with(function(dir, path)
    sh("cd $D; for i in $(seq 600); do mkdir d; cd d; done; : > file", path)
    assert.is_true(dir:remove_tree("d"))
    assert.same({}, dir:list())
  end))

  it("stays on its file system", scratch.with(function(dir, path)
    if system.ids() ~= 0 then return pending("needs root") end
    dir:mkdir("tree")
    local ran = command.run("/bin/sh", { "sh", "-c",
      "mkdir $D/tree/mnt && mount -t tmpfs none $D/tree/mnt && echo x > $D/tree/mnt/file" },
      { env = { D = path } })
    if ran.code ~= 0 then return pending("cannot mount here") end
    assert.equal("EXDEV", code_of(dir:remove_tree("tree")))
    assert.equal("x\n", sh("cat $D/tree/mnt/file; umount $D/tree/mnt", path))
    assert.is_true(dir:remove_tree("tree"))
  end))

  it("says what is in the way", scratch.with(function(dir, path)
    if system.ids() == 0 then return pending("root may remove everything") end
    sh("mkdir -p $D/tree/locked; : > $D/tree/locked/file; chmod 500 $D/tree/locked", path)
    assert.equal("EACCES", code_of(dir:remove_tree("tree")))
    sh("chmod 700 $D/tree/locked", path)
  end))
end)

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
    assert.is_true(dir:write("f", "2", true))
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
    assert.is_true(dir:link_once("g", "1", true))
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

describe("dir:fifo_write", function()
  it("writes a line to whoever reads, ENXIO when nobody does", scratch.with(function(dir, path)
    dir:mkfifo("f")
    assert.same({ nil, "ENXIO: no such device or address", "ENXIO" },
      { dir:fifo_write("f", "x\n") })
    assert.equal("ENXIO", code_of(dir:fifo_write("f", "")))
    local reader = command.start("/bin/sh", { "sh", "-c", "exec 3<>$D/f; echo up; head -2 <&3" },
      { env = { D = path } })
    reader:wait_for("up\n")
    assert.is_true(dir:fifo_write("f", ""))
    assert.is_true(dir:fifo_write("f", "one\n"))
    assert.is_true(dir:fifo_write("f", "two\n"))
    assert.equal("up\none\ntwo\n", reader:wait().out)
    assert.equal("ENXIO", code_of(dir:fifo_write("f", "x")))
  end))

  it("does not wait for a reader that does not read", scratch.with(function(dir, path)
    dir:mkfifo("f")
    local reader = command.start("/bin/sh", { "sh", "-c",
      "exec 3<>$D/f; echo up; sleep 60" }, { env = { D = path } })
    reader:wait_for("up\n")
    local written, code = 0, nil
    while not code do
      local ok, _, why = dir:fifo_write("f", ("x"):rep(4095) .. "\n")
      if ok then written = written + 1 else code = why end
    end
    assert.equal("EAGAIN", code)
    assert.is_true(written > 0)
    assert.equal("E2BIG", code_of(dir:fifo_write("f", ("x"):rep(4097))))
    reader:signal(9)
    reader:wait()
  end))

  it("takes nothing else for a FIFO", scratch.with(function(dir)
    dir:write("file", "x")
    assert.equal("EINVAL", code_of(dir:fifo_write("file", "y")))
    assert.equal("ENOENT", code_of(dir:fifo_write("none", "y")))
    assert.equal("x", dir:read("file"))
  end))
end)

describe("dir:lock", function()
  it("excludes, between two handles of one process too", scratch.with(function(dir, path)
    local lock = assert(dir:lock("lock"))
    assert.same({ nil, "EAGAIN: resource temporarily unavailable", "EAGAIN" },
      { dir:lock("lock") })
    local other = dirs.open(path)
    assert.equal("EAGAIN", code_of(other:lock("lock")))
    local ran = command.lua(
      [[print(select(3, require("exhost.dir").open(...):lock("lock")))]], { args = { path } })
    assert.equal("EAGAIN\n", ran.out)
    lock:close()
    lock:close()
    local second = assert(other:lock("lock"))
    assert.equal("EAGAIN", code_of(dir:lock("lock")))
    second:close()
    other:close()
  end))

  it("goes with the process that held it", scratch.with(function(dir, path)
    local ran = command.lua([[
      assert(require("exhost.dir").open(...):lock("lock"))
      os.exit(3)]], { args = { path } })
    assert.equal(3, ran.code)
    assert(dir:lock("lock")):close()
  end))

  it("goes with an object that nobody holds", scratch.with(function(dir)
    assert(dir:lock("lock"))
    collectgarbage() collectgarbage()
    assert(dir:lock("lock")):close()
  end))

  it("is not got on a file that is gone or replaced", scratch.with(function(dir)
    dir:mkdir("id")
    local id = dir:open("id")
    local lock = assert(id:lock("lock"))
    assert.is_true(dir:remove_tree("id"))
    assert.equal("ENOENT", code_of(id:lock("lock")))
    lock:close()
    assert.equal("ENOENT", code_of(id:lock("lock")))
    id:close()
    -- Removed while somebody waits: the waiter has another file than the next one.
    lock = assert(dir:lock("f"))
    dir:unlink("f")
    assert(dir:lock("f")):close()
    lock:close()
  end))
end)

describe("descriptors", function()
  it("are numbers while open, and can be taken", scratch.with(function()
    local memory = assert(dirs.memory("label", "content"))
    local number = memory:number()
    assert.is_true(number > 2)
    assert.equal(number, memory:take())
    assert.has_error(function() memory:number() end)
    assert.has_error(function() memory:take() end)
    memory:close()
    assert.equal("content", (system.read_some(number)))
    local wrapped = assert(dirs.wrap(number))
    assert.equal(number, wrapped:number())
    wrapped:close()
    wrapped:close()
    assert.equal("EBADF", code_of(system.close(number)))
    assert.equal("exhost.fd", getmetatable(wrapped))
  end))

  it("of memory hold any bytes", function()
    local bytes = ("\0x"):rep(100000)
    local memory = dirs.memory("", bytes)
    assert.equal(bytes, (system.read_all(memory:number(), 1e6)))
    memory:close()
  end)

  it("leave none open", scratch.with(function(_, path)
    collectgarbage() collectgarbage()
    local before = scratch.count(scratch.descriptors())
    for _ = 1, 50 do
      local dir = dirs.open(path)
      dir:mkdir("d")
      dir:open("d")
      dir:lock("l")
      dir:write("f", "x")
      dir:read("f")
      dir:read("missing")
      dir:list()
      dir:append("g", "x")
      dir:mkfifo("p")
      dir:fifo_write("p", "x")
      dir:remove_tree("d")
      dirs.memory("m", "x")
    end
    collectgarbage() collectgarbage()
    assert.equal(before, scratch.count(scratch.descriptors()))
  end))
end)
