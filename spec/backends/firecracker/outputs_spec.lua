--- Images that a guest made to hurt whoever reads them.

local dirs = require "exhost.dir"
local ext4 = require "backends.firecracker.ext4"
local outputs = require "backends.firecracker.outputs"
local scratch = require "support.scratch"
local write = require "support.write"

local SIZE = 8 * 1024 * 1024

local function sh(command, ...)
  assert(os.execute(command:format(...)) == 0, command)
end

local function content(path)
  local file = io.open(path, "rb")
  local data = file and file:read "*a"
  if file then file:close() end
  return data
end

--- Make an image of what a script leaves in its folder, let debugfs change it, then `change`
--- its bytes.
local function make(where, path, script, commands, change)
  local source, image = path .. "/source", path .. "/vm/vda.ext4"
  sh("mkdir %s && cd %s && %s", source, source, script)
  local from = assert(dirs.open(source))
  assert(ext4.make(where, "vda.ext4", SIZE, { source = from }))
  from:close()
  if commands then
    write(path .. "/commands", commands)
    sh("debugfs -w -f %s/commands %s >/dev/null 2>&1", path, image)
  end
  if change then write(image, change(content(image))) end
end

--- body(told, out): what reading such an image tells, and the folder where it came.
local function reading(script, commands, change, body)
  return scratch.with(function(dir, path)
    local where = assert(dir:open("vm", true))
    local results = assert(dir:open("results", true))
    make(where, path, script, commands, change)
    local execution = { id = "e", dir = dir,
      plan = { volumes = { { kind = "output", name = "out", device = "vda", image = "vda.ext4",
        size = SIZE } } },
      record = { log_dir = path .. "/results", log_inode = results:inode() } }
    local told = outputs.fetch(execution, where).out
    -- By the next host, where the first one died before it could tell.
    assert.same(told, outputs.fetch(execution, where).out)
    local left = results:list(true)
    where:close()
    results:close()
    body(told, path .. "/results/out", path)
    assert.is_true(#left <= 1 and (left[1] or "out") == "out", table.concat(left, " "))
  end)
end

local function exists(path)
  return os.execute("test -e " .. path .. " -o -L " .. path) == 0
end

local function replace(old, new)
  assert(#old == #new)
  return function(bytes)
    local changed, count = bytes:gsub(old, (new:gsub("%%", "%%%%")))
    assert(count > 0, "the image has no " .. old)
    return changed
  end
end

describe("an image that the guest made", function()
  it("gives files alone: no links, devices, rights or owners", reading("echo a >a && chmod 4755 a",
    "symlink link /etc/passwd\nmknod disk b 8 0\nmknod pipe p\nsif a uid 1234\n", nil,
    function(told, out)
      assert.same({ files = 1, bytes = 2, skipped = 3 }, told)
      assert.equal("a\n", content(out .. "/a"))
      for _, name in ipairs { "link", "disk", "pipe" } do
        assert.is_false(exists(out .. "/" .. name))
      end
      assert.equal(0, os.execute("test ! -u " .. out .. "/a && test -O " .. out .. "/a"))
    end))

  it("gives no file a place outside", reading("echo evil >xxPWNDxx && echo good >good", nil,
    replace("xxPWNDxx", "../pwned"), function(told, out, path)
      assert.same({ files = 1, bytes = 5, skipped = 1 }, told)
      assert.equal("good\n", content(out .. "/good"))
      assert.is_false(exists(path .. "/pwned"))
      assert.is_false(exists(path .. "/results/pwned"))
    end))

  it("gives no file by way of a link of the same name", reading("mkdir target",
    "symlink samename1 /tmp\nmkdir samename2\n", replace("samename2", "samename1"),
    function(told, out)
      assert.equal(1, told.skipped)
      assert.equal(0, os.execute("test -d " .. out .. "/samename1 -a ! -L " .. out .. "/samename1"))
    end))

  it("gives one of two files that have one name", reading("echo 1 >samename1; echo 2 >samename2",
    nil, replace("samename2", "samename1"), function(told, out)
      assert.same({ files = 1, bytes = 4, skipped = 1 }, told)
      assert.is_truthy(content(out .. "/samename1"))
    end))

  it("is not followed in circles", reading("mkdir -p a/b && echo x >a/b/f",
    "link <2> a/b/top\n", nil, function(told, out)
      assert.equal("x\n", content(out .. "/a/b/f"))
      assert.same({ 1, 1 }, { told.files, told.skipped })
    end))

  it("is not read for more bytes than it has", reading("truncate -s 1T hole && echo s >small", nil,
    nil, function(told, out)
      assert.same({ files = 1, bytes = 2, skipped = 1 }, told)
      assert.is_false(exists(out .. "/hole"))
    end))

  it("may have names of any bytes but those of controls", reading(
    "printf 1 >\"$(printf 'line\\nbreak')\" && printf 2 >'  sp \"q\" <12> ü' && printf 3 >-n", nil,
    nil, function(told, out)
      assert.same({ 2, 1 }, { told.files, told.skipped })
      assert.equal("2", content(out .. '/  sp "q" <12> ü'))
      assert.equal("3", content(out .. "/-n"))
    end))

  for what, change in pairs {
    ["is empty"] = function() return "" end,
    ["is none"] = function(bytes) return ("\0"):rep(#bytes) end,
    ["is torn"] = function(bytes) return bytes:sub(1, 6000) end,
  } do
    it("that " .. what .. " is told of, and is no failure", reading("echo a >a", nil, change,
      function(told, out)
        assert.is_string(told.error)
        assert.is_false(exists(out))
      end))
  end

  it("writes no more than an image can hold, whatever names and sizes it forges", reading(
    "truncate -s 1G big && for i in 12 13 14 15 16 17 18 19; do "
      .. "touch x_0_@_${i}_100644_0_0_bomb$i; done", nil,
    function(image)
      return (image:gsub("x_0_@_(%d%d)_100644_0_0_bomb", "x/0/\n/%1/100644/0/0/bomb"))
    end,
    function(told, out)
      assert.matches("killed by signal 25", told.error)
      assert.is_nil(io.open(out))
    end))

  it("is read by a folder that nobody else may write in", scratch.with(function(dir, path)
    local where = assert(dir:open("vm", true))
    make(where, path, "echo a >a")
    local results = assert(dir:open("results", true))
    local execution = { id = "e", dir = dir, plan = { volumes = { { kind = "output", name = "out",
      device = "vda", image = "vda.ext4", size = SIZE } } },
      record = { log_dir = path .. "/results", log_inode = results:inode() } }
    -- As if somebody were as fast as to make the folder just before us: nothing can remove it.
    sh("mkdir %s/results/.exhost-e", path)
    local mount = "mount -t tmpfs -o mode=777 none %s/results/.exhost-e 2>/dev/null"
    if os.execute(mount:format(path)) ~= 0 then pending "may not mount" end
    local told = outputs.fetch(execution, where)
    sh("umount %s/results/.exhost-e", path)
    results:close()
    where:close()
    assert.matches("is not ours alone", told.out.error)
  end))

  it("does not take the place of what somebody put there meanwhile", scratch.with(
    function(dir, path)
      local where = assert(dir:open("vm", true))
      make(where, path, "echo a >a")
      sh("mkdir -p %s/results/out && echo own >%s/results/out/own", path, path)
      local results = assert(dirs.open(path .. "/results"))
      local told = outputs.fetch({ id = "e", dir = dir, plan = { volumes = { { kind = "output",
        name = "out", device = "vda", image = "vda.ext4", size = SIZE } } },
        record = { log_dir = path .. "/results", log_inode = results:inode() } }, where)
      results:close()
      where:close()
      assert.matches("put it into results_dir: ENOTEMPTY", told.out.error)
      assert.equal("own\n", content(path .. "/results/out/own"))
    end))

  it("comes back where another folder was put in ResultsDir's place is told of", scratch.with(
    function(dir, path)
      local where = assert(dir:open("vm", true))
      make(where, path, "echo a >a")
      sh("mkdir %s/results", path)
      local told = outputs.fetch({ id = "e", dir = dir, plan = { volumes = { { kind = "output",
        name = "out", device = "vda", image = "vda.ext4", size = SIZE } } },
        record = { log_dir = path .. "/results", log_inode = "1" } }, where)
      where:close()
      assert.matches("another folder took its place", told.out.error)
    end))
end)
