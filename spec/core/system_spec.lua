local async = require "exhost.async"
local command = require "support.command"
local dirs = require "exhost.dir"
local logread = require "exhost.logread"
local scratch = require "support.scratch"
local system = require "exhost.system"
local task = require "conformance.task"

local code_of = command.code_of
local sh = command.fixture

local function find_user(spec)
  return async.await(function(done)
    local queued, err, code = system.find_user(spec, done)
    if not queued then done(nil, err, code) end
  end)
end

describe("system facts", function()
  it("are who and where we are", task(function()
    local uid, gid, pid = system.ids()
    assert.equal(string.format("%d %d\n", uid, gid), sh("echo $(id -u) $(id -g)"))
    assert.equal(system.real_path("/proc/self"), "/proc/" .. pid)
    assert.equal(sh("pwd -P"):sub(1, -2), system.cwd())
  end))

  it("real_path follows every link", scratch.with(function(_, path)
    sh("mkdir $D/a; ln -s a $D/b; : > $D/a/f; ln -s loop $D/loop", path)
    assert.equal(path .. "/a/f", system.real_path(path .. "/b/../b//f"))
    assert.equal("ENOENT", code_of(system.real_path(path .. "/none")))
    assert.equal("ELOOP", code_of(system.real_path(path .. "/loop")))
    assert.equal("ENOENT", code_of(system.real_path(path .. "\0")))
  end))

  it("random_hex gives so many bytes, never the same", function()
    for bytes = 1, 32 do assert.matches("^%x+$", system.random_hex(bytes)) end
    assert.equal(64, #system.random_hex(32))
    assert.not_equal(system.random_hex(16), system.random_hex(16))
    for _, bad in ipairs { 0, 33, -1 } do
      assert.has_error(function() system.random_hex(bad) end)
    end
  end)

  it("error_text gives words and name", function()
    assert.same({ "no such file or directory", "ENOENT" }, { system.error_text(2) })
    assert.equal("EDQUOT", select(2, system.error_text(122)))
    assert.same({ "unknown error", "UNKNOWN" }, { system.error_text(99999) })
  end)

  it("terminal says what is none", task(function()
    local memory = dirs.memory("m", "")
    assert.equal(0, select("#", system.terminal(memory:number())))
    assert.equal(0, select("#", system.terminal(9999)))
    memory:close()
  end))
end)

describe("system.trusted", function()
  it("wants every folder above to be root's or ours, and closed to others", scratch.with(
    function(dir, path)
      dir:mkdir("sub")
      dir:open("sub"):write("f", "x")
      local file = path .. "/sub/f"
      assert.is_true(system.trusted(file))
      assert.is_true(system.trusted("/"))
      for what, mode in pairs { ["/sub/f"] = "0620", ["/sub"] = "0702", [""] = "0770" } do
        sh("chmod " .. mode .. " $D" .. what, path)
        assert.same({ nil, path .. what .. " is writable by others" }, { system.trusted(file) })
        sh("chmod 0700 $D" .. what, path)
      end
      sh("chmod 1777 $D/sub", path)
      assert.is_true(system.trusted(file))
      sh("ln -s $D/sub/f $D/link; chmod 0666 $D/sub/f", path)
      assert.is_nil(system.trusted(path .. "/link"))
      assert.equal("ENOENT", code_of(system.trusted(path .. "/none")))
      if system.ids() == 0 then
        sh("chmod 0600 $D/sub/f; chown 12345 $D/sub", path)
        assert.same({ nil, path .. "/sub is owned by another user" }, { system.trusted(file) })
      end
    end))
end)

describe("raw descriptors", function()
  it("are written whole and read to the end", task(function()
    local bytes = ("\0\255x"):rep(50000)
    local memory = dirs.memory("m", "")
    local fd = memory:take()
    assert.is_true(system.write(fd, bytes))
    assert.equal("", system.read_all(fd, 1e6))
    system.close(fd)
    memory = dirs.memory("m", bytes)
    assert.same({ nil, "EFBIG: file too large", "EFBIG" },
      { system.read_all(memory:number(), 1000) })
    memory:close()
    memory = dirs.memory("m", bytes)
    assert.equal(bytes, (system.read_all(memory:number(), #bytes)))
    memory:close()
  end))

  it("say what is wrong with them", task(function()
    for _, fn in ipairs { system.close, system.read_some } do
      assert.equal("EBADF", code_of(fn(9999)))
      assert.equal("EBADF", code_of(fn(-1)))
    end
    assert.equal("EBADF", code_of(system.write(9999, "x")))
    assert.equal("EBADF", code_of(system.read_all(9999, 1)))
    assert.is_true(system.write(9999, ""))
    local read_end, write_end = logread.pipe()
    assert.equal("EAGAIN", code_of(system.read_some(read_end)))
    system.close(read_end)
    assert.equal("EPIPE", code_of(system.write(write_end, "x")))
    system.close(write_end)
  end))
end)

describe("system.find_user", function()
  it("finds names and numbers, with their groups", task(function()
    local root = find_user("root")
    assert.same({ 0, 0, "root", 0 }, { root.uid, root.gid, root.name, root.groups[1] })
    assert.equal(sh("getent passwd root | cut -d: -f6"), root.home .. "\n")
    assert.same(root, find_user("0"))
    local nobody = find_user("nobody")
    assert.equal(sh("id -G nobody"), table.concat(nobody.groups, " ") .. "\n")
  end))

  it("takes a number that is in no database", task(function()
    assert.same({ uid = 12345, gid = 12345, name = "", home = "/", groups = { 12345 } },
      find_user("12345"))
    local user = find_user("12345:54321")
    assert.same({ 12345, 54321, { 54321 } }, { user.uid, user.gid, user.groups })
  end))

  it("puts an explicit group in the place of the user's own", task(function()
    local user = find_user("root:nogroup")
    assert.equal(sh("getent group nogroup | cut -d: -f3"), user.gid .. "\n")
    assert.same({ user.gid }, user.groups)
  end))

  it("tells an unknown user from an unknown group", task(function()
    for _, spec in ipairs { "no-such-user", "", ":0", "4294967295", "-1", "0x0", " root",
      ("u"):rep(300) } do
      assert.equal("ENOENT", code_of(find_user(spec)), spec)
    end
    for _, spec in ipairs { "root:no-such-group", "root:", "root:-1", "0:4294967295" } do
      assert.equal("ESRCH", code_of(find_user(spec)), spec)
    end
    assert.equal("EINVAL", code_of(find_user("root\0x")))
    assert.equal("ENAMETOOLONG", code_of(find_user(("u"):rep(600))))
    assert.has_error(function() system.find_user("root") end)
  end))

  it("own_user is the same, from the local files", task(function()
    local own = system.own_user()
    if not own then pending("this user is not in /etc/passwd") end
    local found = find_user(tostring(system.ids()))
    table.sort(own.groups)
    table.sort(found.groups)
    assert.same(found, own)
  end))
end)

describe("system.sweep", function()
  local function sweep(variable)
    return async.await(function(done) system.sweep(variable, done) end)
  end

  it("kills what has the variable, and nothing else", task(function()
    local id = system.random_hex(8)
    local function sleeper(value)
      local running = command.start("/bin/sh", { "sh", "-c", "echo up; exec sleep 60" },
        { env = { EXHOST_SPEC = value } })
      running:wait_for("up\n")
      return running
    end
    local list = { sleeper(id), sleeper(id), sleeper(id .. "x"), sleeper("x" .. id) }
    assert.equal(2, sweep("EXHOST_SPEC=" .. id))
    assert.equal(9, list[1]:wait().signal)
    assert.equal(9, list[2]:wait().signal)
    for i = 3, 4 do
      assert.is_nil(list[i].ended)
      list[i]:signal(15)
      assert.equal(15, list[i]:wait().signal)
    end
    assert.equal(0, sweep("EXHOST_SPEC=" .. id))
  end))
end)
