local command = require "support.command"
local dirs = require "exhost.dir"
local scratch = require "support.scratch"
local system = require "exhost.system"

local BAD_NAMES = { "", ".", "..", "a/b", "/", "/etc", "../x", "a\0b", "\0" }

local sh = command.fixture
local code_of = command.code_of

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

  it("goes by no symlink where that is asked for", scratch.with(function(_, path)
    sh("mkdir -p $D/real/sub; ln -s real $D/link; ln -s sub $D/real/last", path)
    assert(dirs.open(path .. "/real/sub", { no_links = true })):close()
    for _, name in ipairs { "/link/sub", "/real/last", "/link" } do
      assert.equal("ELOOP", code_of(dirs.open(path .. name, { no_links = true })))
    end
    assert.equal("ELOOP", code_of(dirs.open("/proc/self/root" .. path, { no_links = true })))
    assert.equal("EINVAL", code_of(dirs.open("tmp", { no_links = true })))
    assert.has_error(function() dirs.open(path, { no_links = true, create = true }) end)
  end))

  it("opens files and nothing else for reading", scratch.with(function(dir, path)
    dir:write("file", "bytes")
    sh("ln -s file $D/link; mkfifo $D/fifo; mkdir $D/folder", path)
    local file = assert(dir:file "file")
    dir:unlink "file"
    assert.equal("bytes", sh("cat /proc/" .. select(3, system.ids()) .. "/fd/" .. file:number(),
      path))
    file:close()
    for name, code in pairs { link = "ELOOP", fifo = "EINVAL", folder = "EINVAL", file = "ENOENT",
      ["a/b"] = "EINVAL" } do
      assert.equal(code, code_of(dir:file(name)))
    end
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
      assert.equal("EINVAL", code_of(dir:create(name, "x")))
      assert.equal("EINVAL", code_of(dir:link_once(name, "x")))
      assert.equal("EINVAL", code_of(dir:fifo_write(name, "x")))
      assert.equal("EINVAL", code_of(dir:read_at(name, 0, 1)))
      assert.equal("EINVAL", code_of(dir:members(name, {}, {})))
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
      assert.equal("ELOOP", code_of(below:members(name, {}, {})))
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
      ln -s $D/gone $D/gone/a/b/c/loop; mkfifo $D/gone/a/fifo
      [ "$(id -u)" != 0 ] || chmod 0 $D/gone/a/b/c
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
