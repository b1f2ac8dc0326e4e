local command = require "support.command"
local dirs = require "exhost.dir"
local scratch = require "support.scratch"
local system = require "exhost.system"

local code_of = command.code_of

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
    local holder = command.start_lua([[
      assert(require("exhost.dir").open(...):lock("lock"))
      require("exhost.system").write(1, "up\n")
      require("exhost.async").sleep(60)]], { args = { path } })
    holder:wait_for("up\n")
    assert.equal("EAGAIN", code_of(dir:lock("lock")))
    holder:signal(9)
    assert.equal(9, holder:wait().signal)
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
    assert.is_true(scratch.count(scratch.descriptors()) <= before)
  end))
end)
