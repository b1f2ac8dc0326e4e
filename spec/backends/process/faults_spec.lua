--- A process job under pressure: much output, many at once, clocks, a host as process 1.

local async = require "exhost.async"
local c = require "conformance.helper"
local command = require "support.command"
local loop = require "exhost.loop"
local scratch = require "support.scratch"
local system = require "exhost.system"
local task = require "conformance.task"

describe("process: output", function()
  it("of 50 MB without a newline is kept whole, and its end is returned", c.with(function(ex)
    local request = c.request(c.sh(
      "head -c 50000000 /dev/zero | tr '\\0' x; printf end"))
    local result = assert(ex:run(request))
    assert.equal(1024 * 1024, #result.stdout)
    assert.matches("xxxend$", result.stdout)
    assert.is_true(result.truncated.stdout)
    assert.equal(50000003, tonumber(result.evidence.stdout_bytes))
    local log = assert(ex:get_log_stream(request.execution_id))
    assert.equal(50000003, #c.read(log, 30))
  end))

  it("of any bytes comes through every format's way unharmed", c.with(function(ex)
    local all = {}
    for i = 0, 255 do all[#all + 1] = string.format("\\%03o", i) end
    local request = c.request(c.sh("printf '" .. table.concat(all) .. "'"))
    local result = assert(ex:run(request))
    local expected = {}
    for i = 0, 255 do expected[#expected + 1] = string.char(i) end
    assert.equal(table.concat(expected), result.stdout)
  end))
end)

describe("process: many starts at once", function()
  it("leak no descriptor into each other", c.with(function(ex)
    local tasks, results = {}, {}
    for i = 1, 24 do
      tasks[i] = async.spawn(function()
        results[i] = assert(ex:run(c.request(c.sh("echo $(ls /proc/self/fd)"))))
      end)
    end
    for _, one in ipairs(tasks) do async.join(one) end
    for i = 1, 24 do assert.equal("0 1 2 3\n", results[i].stdout) end -- 3 is ls's own
  end))

  it("all come to their own end", c.with(function(ex)
    local count = tonumber(os.getenv("EXHOST_MANY") or 100)
    local tasks = {}
    for i = 1, count do
      tasks[i] = async.spawn(function() return ex:run(c.request(c.sh("exit " .. i % 100))) end)
    end
    for i = 1, count do assert.equal(i % 100, assert(async.join(tasks[i])).exit_code) end
  end))
end)

describe("process: a host with 5,000 descriptors open", function()
  -- As of an embedder that does not know of O_CLOEXEC.
  local SCRIPT = [[
    local ffi, async = require "ffi", require "exhost.async"
    ffi.cdef "int open(const char *, int);"
    local last
    for _ = 1, 5000 do last = ffi.C.open("/dev/null", 0) end
    assert(last > 5000, "no descriptors left: ulimit -n")
    local ex = assert(require("exhost.executor").open { id = "spec", state_dir = arg[1] })
    async.join(async.spawn(function()
      local function run(cmd)
        return ex:run { engine_spec = { type = "process", params = { cmd = cmd } } }
      end
      io.write(assert(run { "/bin/sh", "-c", "echo $(ls /proc/self/fd)" }).stdout)
      io.write(assert(run { "/bin/sh", "-c", "echo $(ls /proc/$PPID/fd | wc -l)" }).stdout)
      local id = assert(ex:start { engine_spec = { type = "process", params = {
        cmd = { "/bin/sleep", "100" } } } })
      io.write(assert(ex:exec(id, { "/bin/sh", "-c", "echo $(ls /proc/self/fd)" })).stdout)
      assert(ex:cancel(id, { grace = 0 }))
      ex:cleanup()
    end))
    ex:close()
  ]]

  it("gives none of them to a shim, a job or an exec", scratch.with(function(_, path)
    local script = path .. "/script.lua"
    local file = assert(io.open(script, "w"))
    file:write(SCRIPT)
    file:close()
    local ran = command.sh("ulimit -n 6000 && exec $exhost lua $D/script.lua $D/state",
      { env = { D = path } })
    local job, shim, exec = ran.out:match("^(.-)\n(%d+)\n(.-)\n$")
    assert.same({ "0 1 2 3", "0 1 2 3" }, { job, exec }, ran.err)
    assert.is_true(tonumber(shim) < 20, shim)
  end))
end)

describe("process: clocks", function()
  local function faketime(offset, words)
    -- The time of day alone: what a person or NTP can set.
    return command.sh("FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 faketime -f '" .. offset
      .. "' $exhost --state-dir $D/s " .. words .. "; echo $?; rm -rf $D",
      { env = { D = "/tmp/exhost-spec-" .. system.random_hex(6) } })
  end

  it("set back or forward change no deadline", task(function()
    if not io.open("/usr/bin/faketime") then return pending "faketime is not here" end
    if os.getenv("ASAN_OPTIONS") then return pending "a sanitizer cannot be preloaded over" end
    for _, offset in ipairs { "-1d", "+1d" } do
      local before = loop.now()
      local ran = faketime(offset, "run --timeout 0.3s --stop-grace 1s --rm -- sleep 20")
      assert.equal("124\n", ran.out, ran.err)
      assert.is_true(loop.now() - before < 15)
    end
  end))
end)

describe("process: a host as process 1", function()
  it("runs jobs, and leaves no zombie to nobody", scratch.with(function(_, path)
    if system.ids() ~= 0 then return pending "needs root" end
    local ran = command.run("/usr/bin/unshare", { "unshare", "-fp", "--mount-proc",
      command.program, "--state-dir", path .. "/state", "run", "--rm", "--", "/bin/sh", "-c",
      "echo $$; (sleep 0.05; echo late) & wait; ps -o stat= -A | grep -c Z; exit 7" })
    assert.equal(7, ran.code, ran.err)
    assert.matches("^%d+\nlate\n0\n$", ran.out)
  end))
end)
