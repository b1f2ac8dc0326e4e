--- Commands beside the job, in the guest.

local async = require "exhost.async"
local executor = require "exhost.executor"
local machines = require "support.machines"
local scratch = require "support.scratch"
local system = require "exhost.system"

local with = machines.with
local IDLE = "while :; do sleep 0.05; done"

local function sh(script)
  return { "/bin/sh", "-c", script }
end

--- Wait until a command is seen in the guest, or is no longer.
local function wait_for(ex, id, words, wanted)
  local script = "for p in /proc/[0-9]*; do read -r l <$p/cmdline; case $l in " .. words
    .. "*) echo yes;; esac; done 2>/dev/null"
  assert.is_true(scratch.wait_until(function()
    local found = assert(ex:exec(id, sh(script))).stdout
    return (found ~= "") == wanted
  end), words)
end

describe("exec in a microVM", function()
  it("has the job's user, folder and environment", with(function(ex, request)
    local asked = request(IDLE)
    local params = asked.engine_spec.params
    params.user, params.working_directory, params.environment = "33:44", "/bin", { "A=b c" }
    assert(ex:start(asked))
    local r = assert(ex:exec(asked.execution_id, sh "pwd; id -u; id -g; id -G; echo \"$A\""))
    assert.equal("/bin\n33\n44\n44\nb c\n", r.stdout)
  end))

  it("works for another host, and where the disk is the root", with(function(ex, request, path)
    os.execute(string.format("mkdir -p %s/root/bin && cp /bin/busybox %s/root/bin/sh && "
      .. "cp /bin/busybox %s/root/bin/sleep", path, path, path))
    local image = assert(io.open(path .. "/disk", "w"))
    image:write(path, "/root\n")
    image:close()
    local asked = request(IDLE)
    asked.engine_spec.params.root_file_system = path .. "/disk"
    assert(ex:start(asked))
    local other = assert(executor.open { id = "spec", state_dir = path .. "/state",
      backend = "firecracker" })
    local r, err = other:exec(asked.execution_id, sh "echo from another; exit 4")
    other:close()
    assert.same({ 4, "from another\n" }, { r and r.exit_code, r and r.stdout }, err)
  end))

  it("is ended in the guest when its caller leaves or its time is over", with(function(ex, request)
    local asked = request(IDLE)
    local id = asked.execution_id
    assert(ex:start(asked))
    assert.equal("timeout", select(3, ex:exec(id, { "sleep", "1234" }, { timeout = 0.3 })))
    wait_for(ex, id, "sleep*1234", false)
    local waiting = async.spawn(function() return ex:exec(id, sh "sleep 1235; true") end)
    wait_for(ex, id, "sleep*1235", true)
    async.cancel(waiting)
    assert.equal("cancelled", select(3, async.join(waiting)))
    wait_for(ex, id, "sleep*1235", false)
    assert.equal("running", ex:status(id))
  end))

  it("takes long command lines and gives much output back", with(function(ex, request)
    local asked = request(IDLE)
    assert(ex:start(asked))
    local words = { "/bin/sh", "-c", "for w; do printf %s $w; done", "sh" }
    for _ = 1, 20 do words[#words + 1] = ("x"):rep(100000) end
    local r = assert(ex:exec(asked.execution_id, words))
    assert.same({ 0, 2000000 }, { r.exit_code, #r.stdout })
    local _, _, code, data = ex:exec(asked.execution_id, { ("x"):rep(5 * 1024 * 1024) })
    assert.same({ "engine", "E2BIG" }, { code, data.name })
  end, { output_limit = 4000000 }))

  it("runs as many as there are places, and refuses the others", with(function(ex, request)
    local asked = request(IDLE)
    local id, tasks = asked.execution_id, {}
    assert(ex:start(asked))
    for i = 1, 40 do
      tasks[i] = async.spawn(function()
        return ex:exec(id, { "sleep", "300" })
      end)
    end
    assert.is_true(scratch.wait_until(function()
      local _, err, code = ex:exec(id, { "true" })
      return code == "engine" and err:find("too many at once", 1, true) ~= nil
    end))
    for _, task in ipairs(tasks) do async.cancel(task) end
    for _, task in ipairs(tasks) do async.join(task) end
    assert.is_true(scratch.wait_until(function()
      local r = ex:exec(id, sh "exit 3")
      return r and r.exit_code == 3
    end))
  end))

  it("whose output nobody reads stops neither the job nor others", with(function(ex, request)
    local asked = request "i=0; while :; do echo $((i=i+1)); sleep 0.02; done"
    local id = asked.execution_id
    assert(ex:start(asked))
    local reads, writes = system.pipe()
    local other = assert(system.dup(writes))
    local stuck = async.spawn(function()
      return ex:exec(id, sh "dd if=/dev/zero bs=65536 count=64 2>/dev/null",
        { targets = { stdout = writes, stderr = other } })
    end)
    for _ = 1, 3 do assert.equal(0, assert(ex:exec(id, { "true" })).exit_code) end
    local stream = assert(ex:get_log_stream(id, { follow = true, tail = true }))
    assert.is_truthy(scratch.wait_until(function() return system.read_some(stream.fd) end))
    stream:close()
    async.cancel(stuck)
    system.close(reads)
  end))

  it("says where the guest cannot be asked", with(function(ex, request)
    local asked = request(IDLE, "novsock")
    assert(ex:start(asked))
    local _, err, code = ex:exec(asked.execution_id, { "true" })
    assert.same({ "unsupported" }, { code })
    assert.matches("no way to ask", err)
    asked = request(nil, "hang")
    assert(ex:start(asked))
    assert.equal("unsupported", select(3, ex:exec(asked.execution_id, { "true" })))
  end))

  it("is not taken from who does not know the word for it", with(function(ex, request, path)
    local asked = request(IDLE)
    local id = asked.execution_id
    assert(ex:start(asked))
    local socket = string.format("%s/state/spec/executions/%s/vm/v.sock_1024", path, id)
    for _ = 1, 20 do
      assert.not_equal(0, os.execute("curl -s --max-time 10 --unix-socket " .. socket
        .. " http://guest/ 2>/dev/null"))
    end
    assert.equal("yes\n", assert(ex:exec(id, sh "echo yes")).stdout)
    assert(ex:cancel(id))
    assert.equal("cancelled", ex:wait(id).reason)
  end))
end)
