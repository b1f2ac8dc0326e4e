--- exhost firecracker-rootfs, with a stand-in for the engine's program.

local build = require "exhost.build"
local command = require "support.command"
local json = require "exhost.json"
local scratch = require "support.scratch"
local system = require "exhost.system"
local task = require "conformance.task"

--- Answers as docker does for one image; what it is asked is noted.
local ENGINE = [[#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/asked"
case $1 in
  create) [ "$2" = good:1 ] || { echo "no such image: $2" >&2; exit 1; }
    echo "Pulling good:1" >&2; echo 0123456789ab ;;
  image) echo '{"Cmd":["serve"],"Entrypoint":null,"Env":["A=b"],"WorkingDir":"/srv","User":"7"}' ;;
  export) cp "$here/tar" "$3" ;;
  rm) ;;
esac
]]

local function sh(text, ...)
  assert(os.execute(text:format(...)) == 0, text)
end

local function prepare(path)
  local file = assert(io.open(path .. "/docker", "w"))
  file:write(ENGINE)
  file:close()
  sh("cd %s && chmod 755 docker && mkdir tree && cd tree && mkdir -p bin etc && echo x >etc/f && "
    .. "echo sh >bin/sh && chmod 4755 bin/sh && ln -s bin/sh link && "
    .. "tar -c --owner=12 --group=34 --numeric-owner -f ../tar .", path)
end

local function run(...)
  return command.run(command.program, { "exhost", "firecracker-rootfs", ... })
end

local function debugfs(image, ask)
  local pipe = io.popen("debugfs -R '" .. ask .. "' " .. image .. " 2>/dev/null")
  local out = pipe:read "*a"
  pipe:close()
  return out
end

local function content(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

describe("firecracker-rootfs", function()
  it("makes what a container would find, with owners, modes and links", scratch.with(
    function(_, path)
      prepare(path)
      local ran = run("-o", path .. "/fs", "--image", "good:1", "--engine", path .. "/docker",
        "--free", "8m", "--json")
      assert.equal(0, ran.code, ran.err)
      local told = assert(json.decode(ran.out))
      assert.same({ root_file_system = path .. "/fs", cmd = { "serve" }, environment = { "A=b" },
        working_directory = "/srv", user = "7" }, told.params)
      assert.matches("/%d+/104755/12/34/sh/3/", debugfs(path .. "/fs", "ls -p /bin"))
      assert.matches("/%d+/120777/12/34/link/6/", debugfs(path .. "/fs", "ls -p /"))
      assert.equal("x\n", debugfs(path .. "/fs", "cat /etc/f"))
      assert.equal(0, os.execute("e2fsck -fn " .. path .. "/fs >/dev/null 2>&1"))
      assert.is_true(told.bytes >= 8 * 2 ^ 20)
      assert.equal("create good:1 true\nimage inspect --format {{json .Config}} good:1\n"
        .. "export -o /proc/self/fd/5/image.tar 0123456789ab\nrm 0123456789ab\n",
        content(path .. "/asked"))
      assert.equal(1, os.execute("ls -A " .. path .. " | grep -q exhost-rootfs") / 256)
    end))

  it("keeps owners without root, by fakeroot", scratch.with(function(_, path)
    if system.ids() ~= 0 or os.execute "command -v fakeroot setpriv >/dev/null" ~= 0 then
      return pending "needs root to become another user, and fakeroot"
    end
    if os.execute("setpriv --reuid 1234 --regid 1234 --clear-groups test -r " .. build.share
      .. "/lua/exhost/cli/main.lua") ~= 0 then
      return pending "the clone lies where only root may read"
    end
    prepare(path)
    sh("chmod 711 %s && chmod 644 %s/tar && touch %s/asked && chmod 666 %s/asked && "
      .. "mkdir -m 777 %s/out", path, path, path, path, path)
    local ran = command.sh("HOME=/ setpriv --reuid 1234 --regid 1234 --clear-groups $exhost "
      .. "firecracker-rootfs -o $D/out/fs --image good:1 --engine $D/docker",
      { env = { D = path } })
    assert.equal(0, ran.code, ran.err)
    assert.matches("/%d+/104755/12/34/sh/3/", debugfs(path .. "/out/fs", "ls -p /bin"))
  end))

  it("takes a folder as it is", scratch.with(function(_, path)
    sh("mkdir %s/d && echo y >%s/d/f", path, path)
    local ran = run("-o", path .. "/fs", "--folder", path .. "/d")
    assert.same({ 0, "" }, { ran.code, ran.err })
    assert.matches("^" .. path:gsub("%p", "%%%0") .. "/fs, %d+ MiB\n$", ran.out)
    assert.equal("y\n", debugfs(path .. "/fs", "cat /f"))
  end))

  it("says what is wrong, and leaves nothing", scratch.with(function(_, path)
    prepare(path)
    local function fails(expected, code, ...)
      local ran = run(...)
      assert.equal(code, ran.code, ran.out)
      assert.is_truthy(ran.err:find(expected, 1, true), ran.err)
    end
    local engine, file = path .. "/docker", path .. "/fs"
    fails("-o FILE is required", 2, "--image", "x")
    fails("one of them", 2, "-o", file)
    fails("one of them", 2, "-o", file, "--image", "x", "--folder", "/tmp")
    fails("--free: expected a size", 2, "-o", file, "--folder", "/tmp", "--free", "x")
    fails("no such image: bad:1", 1, "-o", file, "--image", "bad:1", "--engine", engine)
    fails("expected the name of an image", 1, "-o", file, "--image=-x", "--engine", engine)
    fails(path .. "/none is not there", 1, "-o", file, "--image", "x", "--engine", path .. "/none")
    fails(path .. "/none: ENOENT", 1, "-o", file, "--folder", path .. "/none")
    fails("/nowhere: ENOENT", 1, "-o", "/nowhere/fs", "--folder", path)
    fails("is there already", 1, "-o", engine, "--folder", path)
    assert.not_equal(0, os.execute("ls -A " .. path .. " | grep -q -e exhost-rootfs -e '^fs'"))
  end))

  it("is in the help, the manual and the completion", task(function()
    local words = command.run(command.program, { "exhost", "help", "--words" }).out
    assert.is_truthy(words:find("\nfirecracker-rootfs\n", 1, true))
    words = command.run(command.program, { "exhost", "help", "--words", "firecracker-rootfs" }).out
    assert.is_truthy(words:find("--engine\n", 1, true))
    local manual = command.run(command.program, { "exhost", "help", "--man" }).out
    assert.is_truthy(manual:find(".SS exhost firecracker\\-rootfs", 1, true))
    local ran = command.run(command.program, { "exhost", "firecracker-rotfs" })
    assert.equal(2, ran.code)
    assert.matches("did you mean firecracker%-rootfs", ran.err)
  end))
end)
