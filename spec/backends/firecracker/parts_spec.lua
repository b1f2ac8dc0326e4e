--- Archives, versions, kernels, and the words of the end.

local conclude = require "backends.firecracker.conclude"
local cpio = require "backends.firecracker.cpio"
local guest = require "backends.firecracker.guest"
local host = require "backends.firecracker.host"
local result = require "exhost.result"
local scratch = require "support.scratch"
local write = require "support.write"

local function script(path, text)
  write(path, "#!/bin/sh\n" .. text .. "\n")
  os.execute("chmod 755 " .. path)
  return path
end

describe("an archive", function()
  it("is read by cpio", scratch.with(function(_, path)
    local bytes = cpio.archive { { "d", folder = true }, { "d/f", data = "a\0b", mode = 493 },
      { "l", link = "d/f" }, { "empty" } }
    assert.equal(0, #bytes % 4)
    write(path .. "/a.cpio", bytes)
    assert.equal(0, os.execute("cd " .. path .. " && busybox cpio -i <a.cpio 2>/dev/null"))
    local file = assert(io.open(path .. "/l", "rb"))
    assert.equal("a\0b", file:read "*a")
    file:close()
    assert.equal(0, os.execute("test -x " .. path .. "/d/f -a -f " .. path .. "/empty"))
  end))

  it("begins at a multiple of four behind another one", function()
    assert.equal("abc\0x", cpio.append("abc", "x"))
    assert.equal("abcdx", cpio.append("abcd", "x"))
  end)
end)

describe("the job of a guest", function()
  it("is items that end with a NUL, scripts last", function()
    local text = guest.job({ argv = { "a", "" }, environment = { "K=v\nw" }, uid = 0,
      working_directory = "/", scripts = { "s" } }, { s = "echo\n" }, "tok")
    assert.equal("EXHOST1\ntoken=tok\0argv=a\0argv=\0env=K=v\nw\0cwd=/\0uid=0\0script=s\0"
      .. "script_data=echo\n\0", text)
  end)
end)

describe("the binary", function()
  it("is asked for its version once", scratch.with(function(_, path)
    local file = script(path .. "/fc", "echo x >>" .. path .. "/asked; "
      .. "printf 'Firecracker v1.17.0-dev\\n\\n'")
    local cache = {}
    assert.same({ 1, 17, text = "1.17.0-dev" }, host.version(cache, file))
    assert.same({ 1, 17, text = "1.17.0-dev" }, host.version(cache, file))
    local asked = assert(io.open(path .. "/asked"))
    assert.equal("x\n", asked:read "*a")
    asked:close()
  end))

  for text, expected in pairs {
    ["echo nonsense"] = 'answered "nonsense', ["exit 3"] = "exit status 3",
    ["kill -9 $$"] = "killed by signal 9", ["echo 'Firecracker v0.25.2'"] = "needs 1.0 or newer",
    ["exit 0"] = "is it firecracker?",
  } do
    it("is refused when it says: " .. text, scratch.with(function(_, path)
      local version, err, code = host.version({}, script(path .. "/fc", text))
      assert.is_nil(version)
      assert.is_truthy(err:find(expected, 1, true), err)
      assert.is_true(code == "unavailable" or code == "unsupported")
    end))
  end

  it("is too old for a param that came later, and both versions are named", function()
    local asked, new = { mmds_message = "x", mmds_version = "V2" }, { 1, 1, text = "1.1.0" }
    assert.is_true(host.check_params(asked, "/fc", new))
    local old = { 1, 0, text = "1.0.2" }
    assert.same({ nil, "engine_spec.params.mmds_version: V2 needs firecracker 1.1 or newer; /fc is "
      .. "1.0.2", "unsupported" }, { host.check_params(asked, "/fc", old) })
    asked.mmds_version = "V1"
    assert.is_true(host.check_params(asked, "/fc", old))
  end)

  it("is refused when it is not there, or a folder", scratch.with(function(_, path)
    local _, err, code = host.version({}, path .. "/nothing")
    assert.same({ "unavailable" }, { code })
    assert.matches("nothing: ", err)
    _, err = host.version({}, path)
    assert.matches("it is a directory, not a file", err)
  end))

  it("is looked for in the settings, then in the environment", function()
    local settings = { backends = { firecracker = { binary = "/x/fc" } } }
    assert.equal("/x/fc", host.binary(settings))
    settings.backends.firecracker.binary = "fc"
    local _, err, code = host.binary(settings)
    assert.same({ 'firecracker binary "fc": expected an absolute path', "invalid" }, { err, code })
  end)
end)

describe("a kernel", function()
  local OLD, NEW = { 1, 16, text = "1.16.1" }, { 1, 17, text = "1.17.0" }
  local BZIMAGE = ("\0"):rep(0x202) .. "HdrS"

  it("is an ELF file, or a bzImage for binaries that boot one", function()
    assert.is_true(host.check_kernel("\127ELF", "/k", OLD))
    assert.is_true(host.check_kernel(BZIMAGE, "/k", NEW))
    local _, err, code = host.check_kernel(BZIMAGE, "/k", OLD)
    assert.equal("invalid", code)
    assert.equal("engine_spec.params.kernel_image: /k is a bzImage, which firecracker boots from "
      .. "1.17 on; this one is 1.16.1: give a vmlinux", err)
    for _, head in ipairs { "", "MZ", "\127EL", ("x"):rep(600) } do
      _, err = host.check_kernel(head, "/k", NEW)
      assert.matches("neither an ELF file", err)
    end
  end)
end)

describe("the end of a microVM", function()
  local function ending(text, exit)
    return result.from(exit or { code = "1" }, conclude.evidence(conclude.parse(text), nil, 0))
  end

  it("is what its guest says, whatever the monitor exits with", function()
    local r = ending("format=1\nby=socket\nvmm_code=0\nkind=exit\ncode=7\n", { code = "7" })
    assert.same({ 7, "exited", { exit_code = 0 }, "socket" },
      { r.exit_code, r.reason, r.evidence.vmm, r.evidence.report })
    r = ending("format=1\nby=socket\nvmm_code=1\nkind=exit\ncode=0\n", { code = "0" })
    assert.same({ 0, "exited" }, { r.exit_code, r.reason })
    r = ending("format=1\nby=serial\nvmm_code=0\nkind=signal\nsignal=11\n", { signal = "11" })
    assert.same({ 139, "signaled" }, { r.exit_code, r.reason })
    r = ending("format=1\nby=socket\nvmm_code=0\nkind=oom\nsignal=9\n", { signal = "9" })
    assert.same({ 137, "oom" }, { r.exit_code, r.reason })
    r = ending("format=1\nby=socket\nvmm_code=0\nkind=exit\ncode=137\noom=1\n", { code = "137" })
    assert.same({ 137, "oom" }, { r.exit_code, r.reason })
    r = ending("format=1\nby=socket\nvmm_code=0\nkind=exit\ncode=3\nscript=a\n", { code = "3" })
    assert.same({ "start_failed", 'provision script "a" exited with code 3' },
      { r.reason, r.error_msg })
    r = ending("format=1\nby=socket\nvmm_code=0\nkind=failed\nerror=2\nstep=exec\n")
    assert.equal("start_failed", r.reason)
  end)

  it("has no exit code without that word, also when the monitor exits 0", function()
    for _, vmm in ipairs { "vmm_code=0", "vmm_code=1", "vmm_signal=9" } do
      local r = ending("format=1\nby=socket\n" .. vmm .. "\n")
      assert.same({ nil, "lost" }, { r.exit_code, r.reason })
      assert.is_table(r.evidence.vmm)
    end
    local r = ending("format=1\nby=nobody\nvmm_signal=15\n", { code = "1", stop_by = "cancel" })
    assert.same({ nil, "cancelled" }, { r.exit_code, r.reason })
  end)

  it("was a machine's that ran when it wrote anything, whatever the monitor calls an error",
    scratch.with(function(dir)
      local report = conclude.parse("format=1\nby=nobody\nvmm_code=1\n")
      assert(dir:write("vmm.err", "Error: words of the monitor\n"))
      local evidence = conclude.evidence(report, dir, 0)
      assert.same({ true, "Error: words of the monitor" },
        { evidence.never_ran, evidence.engine_error })
      evidence = conclude.evidence(report, dir, 7)
      assert.same({ nil, "Error: words of the monitor" },
        { evidence.never_ran, evidence.vmm.error })
      assert(dir:write("console.log", "a panic\n"))
      evidence = conclude.evidence(report, dir, 0)
      assert.same({ nil, "a panic" }, { evidence.never_ran, evidence.console })
    end))

  it("is not read from what is torn", function()
    for _, text in ipairs { "", "format=1", "format=2\nkind=exit\ncode=0\n", "nonsense\n",
      "format=1\nkind=exit\ncode=0" } do
      assert.is_nil(conclude.parse(text))
    end
    assert.is_nil(conclude.parse(nil))
    assert.same({}, conclude.evidence(nil, nil, 0))
  end)
end)
