local cgroup = require "exhost.cgroup"
local command = require "support.command"
local core = require "exhost.cgroup_core"
local async = require "exhost.async"
local scratch = require "support.scratch"
local system = require "exhost.system"
local task = require "conformance.task"

local MIB = 1024 * 1024

local code_of = command.code_of
local sh = command.fixture

--- A made version 2 tree: no kernel behind it, so groups that get files are made first.
local function v2_tree(path)
  sh([[echo "cpu memory pids" > $D/cgroup.controllers
    for g in $D $D/exhost $D/exhost/job $D/unit $D/unit/exhost $D/unit/exhost/job; do
      mkdir -p $g
      for f in cgroup.subtree_control cgroup.procs memory.max memory.swap.max cpu.max pids.max; do
        : > $g/$f
      done
    done]], path)
end

describe("cgroup_core", function()
  it("tells the version of a tree", scratch.with(function(dir, path)
    assert.equal(0, core.version(path))
    assert.equal(0, core.version(path .. "/nowhere"))
    assert.equal(0, core.version("relative"))
    dir:mkdir("freezer")
    dir:open("freezer"):write("cgroup.procs", "")
    assert.equal(1, core.version(path))
    dir:write("cgroup.controllers", "")
    assert.equal(2, core.version(path))
  end))

  it("makes, writes, reads and removes", scratch.with(function(dir, path)
    assert.is_true(core.make(path, path .. "/a/b/c"))
    assert.is_true(core.make(path, path .. "/a/b/c"))
    assert.equal("ENOENT", code_of(core.write(path .. "/a", "memory.max", "1")))
    dir:open("a"):write("memory.max", "")
    assert.is_true(core.write(path .. "/a", "memory.max", "4096"))
    assert.equal("4096", core.read(path .. "/a", "memory.max"))
    assert.equal("ENOENT", code_of(core.read(path .. "/a", "none")))
    assert.equal("ENOTEMPTY", code_of(core.remove(path .. "/a")))
    assert.is_true(core.remove(path .. "/a/b/c"))
    assert.is_true(core.remove(path .. "/a/b/c"))
  end))

  it("switches controllers on from the root down, and not in the group itself", scratch.with(
    function(dir, path)
      dir:write("cgroup.subtree_control", "")
      assert.equal("ENOENT", code_of(core.make(path, path .. "/a/b", "+pids")))
      dir:open("a"):write("cgroup.subtree_control", "")
      assert.is_true(core.make(path, path .. "/a/b", "+pids"))
      assert.same({ "+pids", "+pids" }, { dir:read("cgroup.subtree_control"),
        dir:open("a"):read("cgroup.subtree_control") })
      assert.equal("ENOENT", code_of(dir:open("a"):open("b"):stat("cgroup.subtree_control")))
    end))

  it("stays below the root", scratch.with(function(_, path)
    for _, bad in ipairs { "/elsewhere", path .. "x/a", path, path .. "/../x", path .. "/a/..",
      "a", "", path .. "/a\0b" } do
      assert.equal("EINVAL", code_of(core.make(path, bad)), bad)
    end
    for _, file in ipairs { "", ".", "../x", "\0" } do
      assert.equal("EINVAL", code_of(core.write(path, file, "1")))
      assert.equal("EINVAL", code_of(core.read(path, file)))
    end
    assert.equal("EINVAL", code_of(core.kill("relative")))
    assert.equal("EINVAL", code_of(core.remove("")))
    assert.equal(0, core.kill(path .. "/nowhere"))
  end))

  it("follows no symlink in place of a file", scratch.with(function(dir, path)
    sh("echo secret > $D/target; mkdir $D/g; ln -s $D/target $D/g/memory.max", path)
    assert.equal("ELOOP", code_of(core.write(path .. "/g", "memory.max", "1")))
    assert.equal("ELOOP", code_of(core.read(path .. "/g", "memory.max")))
    assert.equal("secret\n", dir:read("target"))
  end))
end)

describe("cgroup.files", function()
  local limits = { memory = 64 * MIB, cores = 1.5, pids = 100 }

  local function written(version)
    local list = {}
    for i, item in ipairs(cgroup.files(version, limits)) do
      list[i] = item.file .. "=" .. item.value .. (item.optional and "?" or "")
    end
    return list
  end

  it("names what is written for limits", function()
    assert.same({ "memory.max=67108864", "memory.swap.max=0?", "cpu.max=150000 100000",
      "pids.max=100" }, written(2))
    assert.same({ "memory.limit_in_bytes=67108864", "memory.memsw.limit_in_bytes=67108864?",
      "cpu.cfs_period_us=100000", "cpu.cfs_quota_us=150000", "pids.max=100" }, written(1))
    assert.same({}, cgroup.files(2, {}))
    assert.equal("1000 100000", cgroup.files(2, { cores = 0.001 })[1].value)
    assert.equal("9007199254740992", cgroup.files(1, { memory = 2 ^ 53 })[1].value)
  end)
end)

describe("cgroup.find, version 2 (a made tree)", function()
  it("uses the group this process is in", scratch.with(function(_, path)
    v2_tree(path)
    local found = cgroup.find { root = path, own = "0::/unit\n" }
    assert.same({ 2, path .. "/unit/exhost", true, true, true }, { found.version,
      found.parents[""], found.controllers.memory, found.controllers.cpu, found.controllers.pids })
    assert.same({}, cgroup.unenforced(found, { memory = 1, cores = 1, pids = 1 }))
    assert.equal(path .. "/exhost", cgroup.find({ root = path, own = "0::/\n" }).parents[""])
  end))

  it("uses the root's where controllers cannot be switched on", scratch.with(function(dir, path)
    v2_tree(path)
    sh("rm $D/unit/cgroup.subtree_control", path)
    local found = cgroup.find { root = path, own = "0::/unit\n" }
    assert.same({ path .. "/exhost", true }, { found.parents[""], found.controllers.memory })
    sh("rm $D/cgroup.subtree_control", path)
    found = cgroup.find { root = path, own = "0::/unit\n" }
    assert.same({ 2, path .. "/unit/exhost", {} },
      { found.version, found.parents[""], found.controllers })
    assert.same({ "cpu limit (no cpu control group that we may use)",
      "memory limit (no memory control group that we may use)" },
      (function()
        local list = cgroup.unenforced(found, { memory = 1, cores = 1 })
        for i, text in ipairs(list) do list[i] = text:gsub("^cores", "cpu") end
        return list
      end)())
    assert.same({ path .. "/unit/exhost/job" },
      cgroup.make(found, "job", { memory = MIB, cores = 1, pids = 1 }))
    assert.equal("", dir:open("unit"):open("exhost"):open("job"):read("memory.max"))
  end))

  it("makes a group with its limits, and removes it", scratch.with(function(dir, path)
    v2_tree(path)
    local found = cgroup.find { root = path, own = "0::/\n" }
    assert.same({ path .. "/exhost/job" },
      cgroup.make(found, "job", { memory = 8 * MIB, cores = 0.5, pids = 7 }))
    local job = dir:open("exhost"):open("job")
    assert.same({ "8388608", "0", "50000 100000", "7" }, { job:read("memory.max"),
      job:read("memory.swap.max"), job:read("cpu.max"), job:read("pids.max") })
    -- A made tree gives a new group no files: its limits cannot be written.
    local none, err, code = cgroup.make(found, "other", { pids = 7 })
    assert.same({ "nil", "io" }, { type(none), code })
    assert.matches("write 7 to .*/exhost/other/pids%.max: ENOENT", err)
    assert.is_nil(dir:open("exhost"):open("other"))
    assert.same({ path .. "/exhost/free" }, cgroup.make(found, "free", {}))
    assert.equal(0, cgroup.kill(found, "free"))
    assert.is_true(cgroup.remove(found, "free"))
    assert.is_true(cgroup.remove(found, "free"))
    assert.is_nil(dir:open("exhost"):open("free"))
    assert.equal("ENOTEMPTY", code_of(cgroup.remove(found, "job")))
  end))

  it("is none where there is nothing", scratch.with(function(_, path)
    local found = cgroup.find { root = path, own = "" }
    assert.equal(0, found.version)
    assert.equal(1, #cgroup.unenforced(found, { pids = 1 }))
    assert.same({}, cgroup.make(found, "job", { pids = 1 }))
  end))
end)

describe("cgroup.find, version 1 (the machine's)", function()
  local function skip()
    if system.ids() ~= 0 or core.version(cgroup.ROOT) ~= 1 then
      pending("needs root and version 1 control groups")
    end
  end

  it("keeps a limit, and finds and kills every process", task(function()
    skip()
    local found = cgroup.find()
    assert.is_true(found.controllers.pids and found.controllers.freezer)
    local name = "spec-" .. system.random_hex(6)
    local paths = assert(cgroup.make(found, name, { pids = 3 }))
    assert.equal("3\n", core.read(found.parents.pids .. "/" .. name, "pids.max"))
    local joined = command.start("/bin/sh", { "sh", "-c",
      "for p in $P; do echo 0 > $p/cgroup.procs; done; sleep 60 & sleep 60 & echo up; "
        .. "sleep 60 || echo refused; wait" }, { env = { P = table.concat(paths, " ") } })
    joined:wait_for("up\n")
    assert.equal("EBUSY", code_of(cgroup.remove(found, name)))
    assert.is_true(cgroup.kill(found, name) > 0)
    joined:wait()
    for _ = 1, 500 do
      if cgroup.kill(found, name) == 0 and cgroup.remove(found, name) then break end
      async.sleep(0.01)
    end
    for _, path in ipairs(paths) do assert.equal("ENOENT", code_of(core.read(path, "tasks"))) end
  end))

  it("kills what is frozen", task(function()
    skip()
    local found = cgroup.find()
    local name = "spec-" .. system.random_hex(6)
    local path = assert(cgroup.make(found, name, {}))[1]
    local frozen = command.start("/bin/sh", { "sh", "-c",
      "echo 0 > $P/cgroup.procs; echo up; sleep 60" }, { env = { P = path } })
    frozen:wait_for("up\n")
    assert.is_true(core.write(path, "freezer.state", "FROZEN"))
    for _ = 1, 500 do
      if cgroup.kill(found, name) == 0 and cgroup.remove(found, name) then break end
      async.sleep(0.01)
    end
    assert.equal(9, frozen:wait().signal)
    assert.equal("ENOENT", code_of(core.read(path, "tasks")))
  end))
end)
