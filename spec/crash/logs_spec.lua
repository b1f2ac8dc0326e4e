--- Logs whose files are led astray, cut, held open, or have no room.

local assert = require "luassert"
local command = require "support.command"
local dirs = require "exhost.dir"
local files = require "crash.files"
local helper = require "conformance.helper"
local loop = require "exhost.loop"
local processes = require "crash.processes"
local system = require "exhost.system"
local world = require "crash.world"

local ENOSPC = 28

local function sh(w, script)
  local ran = command.run("/bin/sh", { "sh", "-ec", script }, { env = { D = w.path } })
  assert(ran.code == 0, ran.err)
  return ran.out
end

--- A script that tells where it is by a file, and goes on when there is another.
local function steps(w, first, second)
  return string.format("%s; : > %s/there; while [ ! -e %s/go ]; do sleep 0.01; done; %s", first,
    w.path, w.path, second)
end

local function await_step(w)
  assert(files.eventually(function() return files.read(w.path .. "/there") end))
end

local function go_on(w)
  files.write(w.path .. "/go", "")
end

describe("in ResultsDir", function()
  local PLANTED = {
    link = "ln -s $D/victim ", ["dangling link"] = "ln -s $D/nowhere ",
    ["hard link"] = "ln $D/victim ", fifo = "mkfifo ", folder = "mkdir ",
  }
  for kind, plant in pairs(PLANTED) do
    for _, name in ipairs { "stdout.log", "stderr.log" } do
      it("a " .. kind .. " as " .. name .. " is refused", world.with(function(w)
        sh(w, "mkdir $D/r; echo safe > $D/victim; " .. plant .. "$D/r/" .. name)
        local ex = w:open()
        local id, err, code = ex:start(w:request("exit 0", { results_dir = w.path .. "/r" }))
        assert(id == nil and (code == "io" or code == "engine"), err)
        assert.equal(0, w:run_count())
        assert.equal("safe\n", sh(w, "cat $D/victim; [ ! -e $D/nowhere ]"))
        w:check_gone()
        ex:close()
      end))
    end
  end

  it("a link as log.idx is nobody's business", world.with(function(w)
    sh(w, "mkdir $D/r; echo safe > $D/victim; ln -s $D/victim $D/r/log.idx")
    local ex = w:open()
    assert.equal(0, assert(ex:run(w:request("exit 0", { results_dir = w.path .. "/r" }))).exit_code)
    assert(ex:remove(w.id, 1, { purge = true }))
    assert.equal("safe\nlog.idx\n", sh(w, "cat $D/victim; ls $D/r"))
    ex:close()
  end))

  it("a link as the folder itself is refused", world.with(function(w)
    sh(w, "mkdir $D/real; ln -s $D/real $D/r")
    local ex = w:open()
    local id, err, code = ex:start(w:request("exit 0", { results_dir = w.path .. "/r" }))
    assert.same({ nil, "io" }, { id, code })
    assert.matches("/r: it is a link", err)
    assert.equal("", sh(w, "ls $D/real"))
    ex:close()
  end))

  -- What a job does to its logs while it runs.
  local SWAPPED = {
    ["a log"] = "rm $D/r/stdout.log; ln -s $D/else/stdout.log $D/r/stdout.log",
    ["the folder, by a link"] = "mv $D/r $D/old; ln -s $D/else $D/r",
    ["the folder, by another"] = "mv $D/r $D/old; cp -a $D/else $D/r",
    ["a folder above"] = "mv $D/up $D/old; mkdir $D/up; cp -a $D/else $D/up/r",
  }
  for what, swap in pairs(SWAPPED) do
    it("nothing is read or removed elsewhere after a swap of " .. what, world.with(function(w)
      local path = w.path .. (swap:find "up" and "/up/r" or "/r")
      sh(w, "mkdir $D/else; echo secret > $D/else/stdout.log; echo secret > $D/else/stderr.log")
      local ex = w:open()
      assert(ex:start(w:script(steps(w, "echo own", "echo more"), { results_dir = path })))
      await_step(w)
      sh(w, swap)
      go_on(w)
      local result = assert(ex:wait(w.id, 10))
      assert.equal(0, result.exit_code)
      assert.is_nil((result.stdout .. result.stderr):find "secret")
      local stream = ex:get_log_stream(w.id, {})
      if stream then assert.is_nil(helper.read(stream):find "secret") end
      assert(ex:remove(w.id, 1, { purge = true }))
      local kept = path .. (what == "a log" and "/../else" or "")
      assert.equal("secret\nsecret\n", files.read(kept .. "/stdout.log")
        .. files.read(kept .. "/stderr.log"))
      ex:close()
    end))
  end
end)

describe("a log", function()
  it("that is truncated goes on at its new end (C06)", world.with(function(w)
    local ex = w:open()
    assert(ex:start(w:script(steps(w, "yes a | head -c 1000000", "echo after"))))
    local dir = assert(dirs.open(w:folder()))
    assert(files.eventually(function() return dir:stat("stdout.log").size == 1000000 end))
    sh(w, "truncate -s 0 " .. w:folder() .. "/stdout.log")
    go_on(w)
    local result = assert(ex:wait(w.id, 10))
    assert.same({ 0, "after\n" }, { result.exit_code, result.stdout })
    assert.equal("after\n", dir:read("stdout.log"))
    assert.equal("after\n", helper.read(assert(ex:get_log_stream(w.id, {}))))
    dir:close()
    ex:close()
  end))

  it("stops at its limit, and the result counts the rest", world.with(function(w)
    local ex = w:open { log_limit = 1000 }
    local result = assert(ex:run(w:script("yes a | head -c 5000; yes b | head -c 100 >&2")))
    assert.same({ 0, 1000, 100 }, { result.exit_code, #result.stdout, #result.stderr })
    assert.same({ stdout = true, stderr = false }, result.truncated)
    assert.same({ 5000, 4000, 1 }, { result.evidence.stdout_bytes, result.evidence.stdout_dropped,
      result.evidence.drop_limit })
    assert.equal(1000, #files.read(w:folder() .. "/stdout.log"))
    ex:close()
  end))

  it("that a quiet grandchild holds is closed after the pipe grace", world.with(function(w)
    local ex = w:open { pipe_grace = 0.2, pipe_grace_max = 5 }
    local before = loop.now()
    local result = assert(ex:run(w:script("echo out; setsid sleep 300 & exit 3")))
    local took = loop.now() - before
    assert(took >= 0.2 and took < 4, took)
    assert.same({ 3, "exited", "out\n" }, { result.exit_code, result.reason, result.stdout })
    assert.same({ "expired", 1 }, { result.evidence.pipe_grace, result.evidence.strays_killed })
    assert(ex:remove(w.id, 1, { purge = true }))
    w:check_gone()
    ex:close()
  end))

  it("that a busy grandchild writes to is closed at the latest", world.with(function(w)
    local ex = w:open { pipe_grace = 0.3, pipe_grace_max = 0.6 }
    local before = loop.now()
    local result = assert(ex:run(w:script("(while :; do echo x; sleep 0.02; done) & exit 0")))
    assert(loop.now() - before >= 0.6)
    assert.same({ 0, "expired" }, { result.exit_code, result.evidence.pipe_grace })
    assert(ex:remove(w.id, 1, { purge = true }))
    w:check_gone()
    ex:close()
  end))
end)

--- A spec with a tmpfs of 1 MiB at $D/disk.
local function with_disk(body)
  return function()
    if system.ids() ~= 0 then return pending "only root can mount" end
    local probe = os.execute("unshare -m true 2>/dev/null")
    if probe ~= 0 then return pending "mount is not allowed here" end
    world.with(function(w)
      sh(w, "mkdir $D/disk; mount -t tmpfs -o size=1m,mode=700 exhost-spec $D/disk")
      local ok, err = pcall(body, w, w.path .. "/disk")
      w:stop()
      sh(w, "umount -l $D/disk")
      if not ok then error(err, 0) end
    end)()
  end
end

local FILL = "cat /dev/zero > $D/disk/filler 2>/dev/null || true"

describe("a full disk", function()
  it("under the logs loses output, counts it, and the job goes on", with_disk(function(w, disk)
    local ex = w:open()
    local script = steps(w, "echo before; while [ ! -e " .. w.path .. "/full ]; do "
      .. "sleep 0.01; done; yes a | head -c 300000", "echo after")
    assert(ex:start(w:script(script, { results_dir = disk })))
    assert(files.eventually(function() return files.read(disk .. "/stdout.log") == "before\n" end))
    sh(w, FILL .. "; : > $D/full")
    await_step(w)
    sh(w, "rm $D/disk/filler")
    go_on(w)
    local result = assert(ex:wait(w.id, 10))
    assert.same({ 0, true, false, 300013, ENOSPC }, { result.exit_code, result.truncated.stdout,
      result.truncated.stderr, result.evidence.stdout_bytes, result.evidence.drop_errno })
    local kept = files.read(disk .. "/stdout.log")
    assert.equal(300013, #kept + result.evidence.stdout_dropped)
    assert.same({ "before\n", "after\n" }, { kept:sub(1, 7), kept:sub(-6) })
    ex:close()
  end))

  it("under the state holds the end up until there is room", with_disk(function(w, disk)
    w.path = disk
    local ex = w:open()
    w.path = disk:match("^(.*)/")
    assert(ex:start(w:script(steps(w, "echo before", "exit 4"))))
    await_step(w)
    local shims = processes.shims(disk)
    assert.equal(1, #shims)
    sh(w, FILL)
    go_on(w)
    assert(files.eventually(function() return #processes.children(shims) == 0 end))
    assert.equal("running", ex:status(w.id))
    sh(w, "rm $D/disk/filler")
    assert.equal(4, assert(ex:wait(w.id, 10)).exit_code)
    ex:close()
  end))

  it("holds the result up until there is room", with_disk(function(w, disk)
    w.path = disk
    local ex = w:open()
    assert(ex:start(w:script("exit 4")))
    assert(files.eventually(function() return files.read(w:folder() .. "/exit") end))
    w.path = disk:match("^(.*)/")
    sh(w, FILL)
    local result, err, code = ex:wait(w.id, 10)
    assert.same({ nil, "io" }, { result, code })
    assert.matches("ENOSPC", err)
    sh(w, "rm $D/disk/filler")
    assert.equal(4, assert(ex:wait(w.id, 10)).exit_code)
    ex:close()
  end))

  it("fails a start, which leaves nothing", with_disk(function(w, disk)
    w.path = disk
    local ex = w:open()
    w.path = disk:match("^(.*)/")
    sh(w, FILL)
    local id, err, code = ex:start(w:request("exit 0"))
    assert.same({ nil, "io" }, { id, code })
    assert.matches("ENOSPC", err)
    sh(w, "rm $D/disk/filler")
    assert.equal("", sh(w, "find $D/disk/spec/executions $D/disk/spec/jobs -mindepth 1"))
    assert.equal(0, assert(ex:run(w:request("exit 0"))).exit_code)
    ex:close()
  end))
end)
