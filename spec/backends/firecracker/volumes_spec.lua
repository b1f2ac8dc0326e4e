--- Inputs and Outputs of a microVM: what comes in, what comes back, and what does not.

local drives = require "backends.firecracker.drives"
local ext4 = require "backends.firecracker.ext4"
local machines = require "support.machines"
local scratch = require "support.scratch"
local system = require "exhost.system"

local with = machines.with

local function sh(command, ...)
  assert(os.execute(command:format(...)) == 0, command)
end

local function content(path)
  local file = assert(io.open(path, "rb"))
  local data = file:read "*a"
  file:close()
  return data
end

local function exists(path)
  return os.execute("test -e " .. path) == 0
end

describe("inputs of a microVM", function()
  it("are folders and files at their targets, which cannot be written", with(
    function(ex, request, path)
      sh("cd %s && mkdir -p 'in put/sub' && printf 1 >'in put/a b' && printf 2 >'in put/sub/c' && "
        .. "printf file >single && chmod 755 single", path)
      local asked = request("cat '/data/x/a b' /data/x/sub/c /etc/conf/f; echo; test -x "
        .. "/etc/conf/f && echo mode; echo no >/data/x/new; echo no >/etc/conf/f", nil, {
        inputs = { { source = path .. "/in put", target = "/data/x/", readonly = true },
          { source = path .. "/single", target = "/etc//conf/./f", readonly = true } } })
      local r = assert(ex:run(asked))
      assert.matches("^12file\nmode\n", r.stdout)
      assert.equal(2, select(2, r.stderr:gsub("Read%-only file system", "")))
      assert.equal("file", content(path .. "/single"))
      assert.is_false(exists("'" .. path .. "/in put/new'"))
      local vm = path .. "/state/spec/executions/" .. asked.execution_id .. "/vm"
      assert.is_true(exists(vm))
      assert.is_false(exists(vm .. "/vda.ext4"))
    end))

  it("keep every byte, holes and many names", with(function(ex, request, path)
    sh("mkdir %s/d && cd %s/d && truncate -s 50M hole && for i in $(seq 500); do "
      .. "echo $i >f$i; done && head -c 300000 /dev/urandom >noise", path, path)
    local r = assert(ex:run(request("cat /d/noise; ls /d | while read x; do echo x; done | "
      .. "head -c 4 >&2; stat -c %s /d/hole >&2; cat /d/f499 >&2", nil,
      { inputs = { { source = path .. "/d", target = "/d", readonly = true } } })))
    assert.is_true(content(path .. "/d/noise") == r.stdout)
    assert.matches("x\nx\n52428800\n499\n", r.stderr)
  end))

  it("are copies, and the plan says so where that was not asked", with(function(ex, request, path)
    sh("mkdir %s/d", path)
    local plan = assert(ex:plan(request("true", nil,
      { inputs = { { source = path .. "/d", target = "/d" } } })))
    assert.equal("inputs[1]: the guest gets a copy that it cannot write", plan.warnings[1])
  end))

  it("are refused before anything is made", with(function(ex, request, path)
    sh("mkdir %s/d && mkfifo %s/fifo", path, path)
    local function refused(volume, expected, code, kind)
      local asked = request("true", nil, { [kind or "inputs"] = { volume } })
      local _, err, got = ex:start(asked)
      assert.equal(code or "invalid", got, err)
      assert.is_truthy(err:find(expected, 1, true), err)
      assert.is_false(exists(path .. "/state/spec/executions/" .. asked.execution_id))
    end
    refused({ source = "name", target = "/d" }, "inputs[1].source: expected an absolute path")
    refused({ source = path .. "/none", target = "/d" }, "inputs[1].source: " .. path
      .. "/none: ENOENT")
    refused({ source = path .. "/fifo", target = "/d" }, "neither a directory nor a file")
    refused({ source = path .. "/d" }, "inputs[1].target: required")
    refused({ source = path .. "/d", target = "/" }, "the root cannot be mounted over")
    refused({ source = path .. "/d", target = "/proc/x" }, "the guest kernel's or exhost's own")
    refused({ source = path .. "/d", target = "/a/../b" }, 'a path with ".." is not allowed')
    refused({ source = "/etc", target = "/d" }, "ceiling.binds", "denied")
    refused({ source = "out", target = "/d" }, "results directory is empty", nil, "outputs")
    local asked = request(nil, "hang", { inputs = { { source = path .. "/d", target = "/d" } } })
    assert.matches("mounted for a command", select(2, ex:start(asked)))
    local many = {}
    for i = 1, 11 do many[i] = { source = path .. "/d", target = "/d" .. i } end
    assert.matches("at most 10 drives",
      select(2, ex:start(request("true", nil, { inputs = many }))))
    many = { many[1], { source = path .. "/d", target = "/d1/" } }
    assert.matches("inputs%[2%]: the same place as inputs%[1%]",
      select(2, ex:start(request("true", nil, { inputs = many }))))
  end, { ceiling = { memory = 2 ^ 40 } }))

  it("are none of what gives the host away, where the operator says nothing", with(
    function(ex, request)
      for _, source in ipairs { "/etc", "/root", "/var/lib", "/", "/proc/self/root/etc" } do
        local _, err, code = ex:start(request("true", nil,
          { inputs = { { source = source, target = "/d" } } }))
        assert.equal("denied", code, err)
      end
    end))

  -- A folder above what was checked becomes a link, whatever a name said a moment before.
  it("are opened by no link that came after the check", scratch.with(function(dir, path)
    sh("cd %s && mkdir -p secret/d ours && echo secret >secret/d/f && ln -s ../secret/d ours/d && "
      .. "ln -s secret sub && mkdir images", path)
    local real_path, images = system.real_path, assert(dir:open "images")
    system.real_path = function(name) return name end
    for _, volume in ipairs { { source = path .. "/sub/d" }, { source = path .. "/ours/d" },
      { source = path .. "/sub/d/f", is_file = true } } do
      volume.kind, volume.field = "input", "inputs[1]"
      volume.device, volume.image = "vda", "vda.ext4"
      local ok, err, code = drives.make(images, { volumes = { volume } }, { input_limit = 2 ^ 30 })
      assert.same({ nil, "invalid" }, { ok, code }, volume.source)
      assert.matches("^inputs%[1%]: make a drive of it: it has changed since it was checked: ", err)
      assert.same({}, images:list(true))
    end
    system.real_path = real_path
    images:close()
  end))

  it("are copied from the file that was opened, and not from what its name becomes",
    scratch.with(function(dir, path)
      sh("cd %s && echo ours >f && echo secret >secret && mkdir images out", path)
      local copy, images = ext4.copy, assert(dir:open "images")
      ext4.copy = function(...)
        sh("cd %s && ln -sf secret f", path)
        return copy(...)
      end
      local ok, err = drives.make(images, { volumes = { { kind = "input", is_file = true,
        source = path .. "/f", device = "vda", image = "vda.ext4", field = "inputs[1]" } } },
        { input_limit = 2 ^ 30 })
      ext4.copy = copy
      assert(ok, err)
      sh("debugfs -R 'dump data %s/out/data' %s/images/vda.ext4 2>/dev/null", path, path)
      assert.equal("ours\n", content(path .. "/out/data"))
      images:close()
    end))

  it("are bounded by the operator", with(function(ex, request, path)
    sh("mkdir %s/d && head -c 100000 /dev/zero >%s/d/f", path, path)
    local asked = request("true", nil, { inputs = { { source = path .. "/d", target = "/d" } } })
    local _, err, code = ex:start(asked)
    assert.equal("invalid", code, err)
    assert.matches("inputs%[1%]: make a drive of it: %d+ bytes are above "
      .. "backends.firecracker.input_limit", err)
    assert.equal("not_found", select(3, ex:status(asked.execution_id)))
    asked.inputs[1] = { source = path .. "/d/f", target = "/f" } -- a file is not even copied whole
    _, err, code = ex:start(asked)
    assert.same({ "invalid", "above backends.firecracker.input_limit, 50000 bytes" },
      { code, err:match("above.*$") })
    assert.equal("not_found", select(3, ex:status(asked.execution_id)))
  end, { backends = { firecracker = { binary = machines.BINARY, input_limit = 50000 } } }))
end)

describe("outputs of a microVM", function()
  it("come back into ResultsDir, whoever the job is", with(function(ex, request, path)
    local asked = request("cd /out && mkdir -p a/b && echo deep >a/b/c && echo top >'t o p' && "
      .. "echo more >/more/x; exit 3", nil, { results_dir = path .. "/results",
      outputs = { { source = "out", target = "/out" },
        { source = path .. "/results/other", target = "/more" } } })
    asked.engine_spec.params.user = "1234"
    local r = assert(ex:run(asked))
    assert.same({ 3, "" }, { r.exit_code, r.stderr })
    assert.equal("deep\n", content(path .. "/results/out/a/b/c"))
    assert.equal("top\n", content(path .. "/results/out/t o p"))
    assert.equal("more\n", content(path .. "/results/other/x"))
    assert.same({ out = { files = 2, bytes = 9 }, other = { files = 1, bytes = 5 } },
      r.evidence.outputs)
    assert.equal(0, os.execute("test -z \"$(ls -A " .. path .. "/results | grep exhost)\""))
    local _, err, code = ex:start(request("true", nil, { results_dir = path .. "/results",
      outputs = { { source = "out", target = "/out" } } }))
    assert.equal("invalid", code)
    assert.matches("has something in it already", err)
    assert(ex:remove(asked.execution_id))
    assert.equal("deep\n", content(path .. "/results/out/a/b/c"))
  end))

  it("come back from a job that is stopped, too", with(function(ex, request, path)
    local asked = request("echo half >/out/x; echo up; while :; do sleep 0.05; done", nil,
      { results_dir = path .. "/results", outputs = { { source = "out", target = "/out" } },
        timeout = 1 })
    assert.equal("timeout", assert(ex:run(asked)).reason)
    assert.equal("half\n", content(path .. "/results/out/x"))
  end))

  it("of an end that the guest never saw are what was on the disk", with(
    function(ex, request, path)
      local r = assert(ex:run(request("true", "panic", { results_dir = path .. "/results",
        outputs = { { source = "out", target = "/out" } } })))
      assert.equal("lost", r.reason)
      assert.same({ out = { files = 0, bytes = 0 } }, r.evidence.outputs)
    end))
end)
