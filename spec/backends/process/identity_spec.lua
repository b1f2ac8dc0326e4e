--- What a process job is and inherits: user, groups, limits, environment; scripts before it;
-- and that an exec is the same.

local base64 = require "exhost.base64"
local c = require "conformance.helper"
local scratch = require "support.scratch"
local system = require "exhost.system"

local is_root = system.ids() == 0

local function with_params(argv, params, more)
  local request = c.request(argv, more)
  for key, value in pairs(params or {}) do request.engine_spec.params[key] = value end
  return request
end

local function output(ex, argv, params, more)
  local result = assert(ex:run(with_params(argv, params, more)))
  return result.stdout, result
end

describe("process: a command", function()
  it("that lacks its interpreter is told from one that is not there", c.with(function(ex)
    local dir, path = scratch.open()
    assert(dir:write("crlf", "#!/bin/sh\r\necho x\r\n"))
    assert.equal(0, assert(ex:run(c.request { "chmod", "755", path .. "/crlf" })).exit_code)
    local _, there, code, data = ex:run(c.request { path .. "/crlf" })
    local _, absent = ex:run(c.request { path .. "/none" })
    dir:close()
    scratch.remove(path)
    assert.same({ "engine", "ENOENT" }, { code, data.name })
    assert.matches("/crlf: no such file or directory %(it is there; the interpreter", there)
    assert.matches("/none: no such file or directory$", absent)
  end))
end)

describe("process: user", function()
  local WHO = c.sh "id -u; id -g; id -G; echo $HOME"

  it("may be numbers that passwd does not know", c.with(function(ex)
    if not is_root then return pending "needs root" end
    assert.equal("12345\n12345\n12345\n/\n", output(ex, WHO, { user = "12345:12345" }))
    assert.equal("12345\n54321\n54321\n/\n", output(ex, WHO, { user = "12345:54321" }))
  end))

  it("brings its own groups and home, and none of ours", c.with(function(ex)
    if not is_root then return pending "needs root" end
    local text = output(ex, c.sh "id -un; id -gn; echo $HOME $USER $LOGNAME", { user = "nobody" })
    assert.equal("nobody\nnogroup\n/nonexistent nobody nobody\n", text)
  end))

  it("that does not exist is named, and nothing is left", c.with(function(ex)
    local request = with_params({ "true" }, { user = "no-such-user" })
    local _, err, code = ex:start(request)
    assert.equal("invalid", code)
    assert.matches('no such user: "no%-such%-user"', err)
    assert.equal("not_found", select(3, ex:status(request.execution_id)))
  end))

  it("may open its own output by name", c.with(function(ex)
    if not is_root then return pending "needs root" end
    local _, result = output(ex, c.sh "echo a >/dev/stdout; echo b >/dev/stderr",
      { user = "12345:12345" })
    assert.same({ "a\n", "b\n" }, { result.stdout, result.stderr })
  end))
end)

describe("process: what a job inherits", function()
  it("is a fixed environment, the job's own, and the execution's name", c.with(function(ex)
    local request = with_params({ "env" }, { environment = { "A=1", "B=x=y", "A=2", "E=" } })
    local text = assert(ex:run(request)).stdout
    assert.matches("PATH=/usr/local/sbin:", text)
    assert.matches("\nA=2\n", "\n" .. text)
    assert.matches("\nB=x=y\n", text)
    assert.matches("\nE=\n", text)
    assert.matches("EXHOST_EXECUTION=" .. request.execution_id:gsub("%-", "%%-") .. "\n", text)
    assert.not_matches("A=1", text)
    assert.not_matches("ASAN_OPTIONS", text)
  end))

  it("is no signal that is blocked or ignored, no descriptor, no input", c.with(function(ex)
    local text = output(ex, c.sh "grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2")
    assert.equal("0000000000000000\n0000000000000000\n", text)
    assert.equal("0 1 2 3\n", output(ex, c.sh "echo $(ls /proc/self/fd)")) -- 3 is ls's own
    assert.equal("/dev/null\n", output(ex, c.sh "readlink /proc/self/fd/0"))
    assert.equal("0022\n", output(ex, c.sh "umask"))
    local _, piped = output(ex, c.sh "yes | head -1")
    assert.same({ "y\n", "" }, { piped.stdout, piped.stderr })
  end))

  it("are the limits asked for", c.with(function(ex)
    local text = output(ex, c.sh "ulimit -n; ulimit -Hn; ulimit -c",
      { rlimits = { nofile = { soft = 100, hard = 200 }, core = 0 } })
    assert.equal("100\n200\n0\n", text)
    assert.equal("/usr\n", output(ex, { "pwd" }, { working_directory = "/usr" }))
  end))
end)

describe("process: exec", function()
  it("is the job's in all of this", c.with(function(ex)
    local script = "id -u; pwd; echo $A $EXHOST_EXECUTION; ulimit -n; umask"
    local params = { environment = { "A=secret" }, working_directory = "/usr",
      rlimits = { nofile = 77 }, user = is_root and "12345:54321" or nil }
    local request = with_params(c.sh(script .. "; echo up; exec sleep 30"), params)
    assert(ex:start(request))
    c.wait_for_output(ex, request.execution_id, "up\n")
    local own = assert(ex:exec(request.execution_id, c.sh(script)))
    local stream = assert(ex:get_log_stream(request.execution_id))
    assert.equal(c.read(stream), own.stdout .. "up\n")
    local groups = "cat /proc/self/cgroup"
    local main = ex:info(request.execution_id).pid
    local file = assert(io.open("/proc/" .. main .. "/cgroup"))
    assert.equal(file:read("*a"), assert(ex:exec(request.execution_id, c.sh(groups))).stdout)
    file:close()
  end))
end)

describe("process: provision scripts", function()
  local function scripts(list)
    local encoded = {}
    for name, text in pairs(list) do encoded[name] = base64.encode(text) end
    return { provision_scripts = encoded }
  end

  it("run in order before the job, as it, CR and all", c.with(function(ex)
    local text = output(ex, { "echo", "three" }, nil, scripts {
      ["10-a.sh"] = "#!/bin/sh\r\necho one\r\n", ["20-b"] = "echo two\n" })
    assert.equal("one\ntwo\nthree\n", text)
    if not is_root then return end
    assert.equal("12345\n/usr\n", output(ex, { "true" },
      { user = "12345:1", working_directory = "/usr" }, scripts { a = "id -u; pwd" }))
  end))

  it("end the execution when one fails", c.with(function(ex)
    local request = c.request({ "echo", "job" }, scripts { a = "echo a; exit 7", b = "echo b" })
    local result = assert(ex:run(request))
    assert.same({ "start_failed", 7, "a\n" }, { result.reason, result.exit_code, result.stdout })
    assert.matches('"a"', result.error_msg)
  end))

  it("that cannot run are named", c.with(function(ex)
    local request = c.request({ "echo", "job" }, scripts { a = "#!/no/such/shell\n" })
    local _, err = ex:start(request)
    assert.matches("run provision script a: no such file or directory %(it is there; the", err)
  end))

  it("are stopped like the job", c.with(function(ex)
    local request = c.request({ "echo", "job" }, scripts { a = "echo up; exec sleep 30" })
    assert(ex:start(request))
    c.wait_for_output(ex, request.execution_id, "up\n")
    assert(ex:cancel(request.execution_id))
    local result = ex:wait(request.execution_id)
    assert.same({ "cancelled", "up\n" }, { result.reason, result.stdout })
  end))
end)

describe("process: what it cannot honour", function()
  it("is a warning where DMS gives it to every job", c.with(function(ex)
    local plan = assert(ex:plan(c.request({ "true" }, { gateway_ip = "10.0.0.1" })))
    assert.matches("^gateway_ip: not used", plan.warnings[1])
  end))

  it("is unsupported, in plan as in start", c.with(function(ex)
    local volume = { type = "local", source = "/tmp", target = "/x" }
    for field, value in pairs { inputs = { volume }, outputs = { volume },
      keys = { { type = "ssh", file = "/x" } },
      ports_to_bind = { { ip = "0.0.0.0", host_port = 1,
        executor_port = 1 } } } do
      local request = c.request({ "true" }, { [field] = value })
      for _, verb in ipairs { "plan", "start" } do
        local _, err, code = ex[verb](ex, request)
        assert.equal("unsupported", code, field .. ": " .. tostring(err))
        assert.matches(field, err)
      end
    end
  end))
end)
