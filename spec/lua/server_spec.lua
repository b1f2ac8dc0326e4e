--- A host that serves: what clients may ask, and what they may do to it.

local async = require "exhost.async"
local client = require "exhost.client"
local command = require "support.command"
local executor = require "exhost.executor"
local json = require "exhost.json"
local lines = require "exhost.lines"
local listen = require "exhost.listen"
local outlet = require "exhost.outlet"
local processes = require "crash.processes"
local scratch = require "support.scratch"
local server = require "exhost.server"
local system = require "exhost.system"

local function request(id, script)
  return { request = { job_id = id, execution_id = id, stop_grace = 1,
    engine_spec = { type = "process", params = { cmd = { "/bin/sh", "-c", script } } } } }
end

--- An executor that serves, and a client of it.
local function with(body)
  return scratch.with(function(_, path)
    local ex = assert(executor.open { id = "spec", state_dir = path .. "/state" })
    local serving = assert(server.open(ex))
    local one = assert(client.open(ex.state.dir))
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, one, ex, serving)
    one:close()
    ex:cleanup()
    serving:close()
    ex:close()
    if not ok then error(err, 0) end
  end)
end

--- A bare connection: sends text, collects lines.
local function bare(ex)
  local fd = assert(listen.connect(ex.state.dir, server.SOCKET))
  local self = { got = {} }
  self.reader = lines.open(system.dup(fd), 1024 * 1024, function(line)
    if not line then self.reader, self.ended = nil, true end
    self.got[#self.got + 1] = line
  end)
  self.writer = outlet.open(fd, 256 * 1024 * 1024, function() end)
  function self.expect(n)
    for _ = 1, 1000 do
      if #self.got >= n or self.ended then break end
      async.sleep(0.005)
    end
    return self.got[n] and json.decode(self.got[n])
  end
  function self.close()
    if self.reader then self.reader:close() end
    self.writer:close()
  end
  return self
end

describe("a host that serves", function()
  it("does what rpc.lua says, for several clients at once", with(function(one, ex)
    local two = assert(client.open(ex.state.dir))
    assert.equal("spec", one:call("id").id)
    assert.equal("a1", one:call("start", request("a1", "echo out; exit 3")).id)
    local result = assert(two:call("wait", { id = "a1" }))
    assert.same({ 3, "out\n" }, { result.exit_code, result.stdout })
    two:close()
  end))

  it("answers a call whose id is null, and no notification", with(function(_, ex)
    local raw = bare(ex)
    raw.writer:put('{"jsonrpc":"2.0","method":"id"}\n{"jsonrpc":"2.0","id":null,"method":"id"}\n'
      .. '{"jsonrpc":"2.0","id":null,"method":"none"}\n{"jsonrpc":"2.0","id":1,"method":"id"}\n')
    local answers, failed = 0, 0
    assert(raw.expect(3))
    for i = 1, 3 do
      local answer = json.decode(raw.got[i], "id")
      if answer.id == json.null then answers = answers + 1 end
      if answer.error then failed = failed + 1 end
      assert.is_true(answer.id == json.null or answer.id == 1)
    end
    assert.same({ 2, 1 }, { answers, failed })
    raw.close()
  end))

  it("passes log streams and feeds as descriptors", with(function(one)
    local _, feed = assert(one:call("subscribe"))
    assert(one:call("start", request("a1", "echo one; echo two")))
    local _, log = assert(one:call("get_log_stream", { id = "a1", follow = true }))
    local got = {}
    local function collect(fd, name, until_text)
      got[name] = ""
      local reader
      reader = lines.open(fd, 65536, function(line)
        got[name] = got[name] .. (line or "END") .. "\n"
      end)
      for _ = 1, 1000 do
        if got[name]:find(until_text, 1, true) then break end
        async.sleep(0.005)
      end
      reader:close()
    end
    collect(log, "log", "END")
    collect(feed, "feed", "concluded")
    assert.equal("one\ntwo\nEND\n", got.log)
    local seq = 0
    for line in got.feed:gmatch("[^\n]+") do
      local event = json.decode(line)
      seq = seq + 1
      assert.equal(seq, event.seq)
      assert.equal("a1", event.execution_id)
    end
    assert.is_true(seq >= 4)
  end))

  it("cancels a call, not its execution", with(function(one, ex)
    assert(one:call("start", request("a1", "sleep 30")))
    local waiting = async.spawn(function() return one:call("wait", { id = "a1" }) end)
    async.sleep(0.05)
    async.cancel(waiting)
    async.join(waiting)
    assert.equal("running", one:call("status", { id = "a1" }).status)
    assert.equal("running", ex:status("a1"))
  end))

  it("answers what is wrong, and lives", with(function(one, ex)
    local raw = bare(ex)
    for i, case in ipairs { { "nonsense\n", -32700 }, { "[]\n", -32600 }, { '{"id":1}\n', -32600 },
      { '{"id":{},"method":"id"}\n', -32600 }, { '{"id":1,"method":"zzz"}\n', -32601 },
      { '{"id":2,"method":"wait","params":{"id":1}}\n', -32602 },
      { '{"id":3,"method":"wait","params":{"id":"nope"}}\n', -32000 } } do
      raw.writer:put(case[1])
      assert.equal(case[2], raw.expect(i).error.code, case[1])
    end
    assert.equal("not_found", raw.expect(7).error.data.code)
    raw.writer:put('{"method":"id"}\n{"id":"x","method":"id"}\n')
    assert.equal("x", raw.expect(8).id)
    raw.close()
    assert(one:call("id"))
  end))

  it("minds no client that sends half a line, too long a one, or goes away", with(
    function(one, ex, serving)
      for _ = 1, 20 do
        local raw = bare(ex)
        raw.writer:put('{"id":1,"method":"wai')
        raw.close()
      end
      local long = bare(ex)
      for _ = 1, 20 do long.writer:put(("x"):rep(1024 * 1024)) end
      long.expect(2) -- an error, where it arrives, and the end
      assert.is_true(long.ended)
      long.close()
      local waiting = bare(ex)
      assert(one:call("start", request("a1", "sleep 30")))
      waiting.writer:put('{"id":1,"method":"wait","params":{"id":"a1"}}\n')
      async.sleep(0.05)
      waiting.close()
      assert.equal("running", one:call("status", { id = "a1" }).status)
      for _ = 1, 200 do
        if serving.count == 1 then break end
        async.sleep(0.005)
      end
      assert.equal(1, serving.count)
    end))

  it("hangs up on a client that reads nothing, and delays no other", with(function(one, ex, serving)
    local fd = assert(listen.connect(ex.state.dir, server.SOCKET))
    assert(scratch.wait_until(function() return serving.count == 2 end))
    local deaf = outlet.open(fd, 256 * 1024 * 1024, function() end)
    for i = 1, 100 do -- the ids come back: more than is kept for one client
      deaf:put(json.encode { id = i .. (" "):rep(1e6), method = "id" } .. "\n")
    end
    assert.is_true(scratch.wait_until(function()
      assert.equal("spec", one:call("id").id)
      return serving.count == 1
    end))
    deaf:close()
    assert.equal("a1", one:call("start", request("a1", "exit 0")).id)
  end))

  it("answers five hundred clients, and is rid of them when they go", with(
    function(one, ex, serving)
      local clients = {}
      for i = 1, 500 do
        clients[i] = bare(ex)
        clients[i].writer:put(json.encode { id = i, method = "id" } .. "\n")
      end
      for i = 1, 500 do assert.equal(i, assert(clients[i].expect(1)).id) end
      assert.equal(501, serving.count)
      for i = 1, 500 do clients[i].close() end
      for _ = 1, 1000 do
        if serving.count == 1 then break end
        async.sleep(0.005)
      end
      assert.equal(1, serving.count)
      assert.equal("spec", one:call("id").id)
    end))

  it("blocks nobody while it takes no one in", with(function(one, ex, serving)
    local waiting, refusal = {}, nil
    for _ = 1, 5000 do -- no turn for the host meanwhile
      local fd, _, code = listen.connect(ex.state.dir, server.SOCKET)
      refusal = code
      if not fd then break end
      waiting[#waiting + 1] = fd
    end
    assert.equal("EAGAIN", refusal)
    local _, err, code = client.open(ex.state.dir)
    assert.same({ "unavailable", "the host that serves takes nobody: more wait for it than it has "
      .. "room for" }, { code, err })
    assert.equal("already_started", select(3, server.open(ex)))
    for _, fd in ipairs(waiting) do system.close(fd) end
    assert.equal("spec", one:call("id").id)
    for _ = 1, 1000 do
      if serving.count == 1 then break end
      async.sleep(0.005)
    end
    assert.equal(1, serving.count)
  end))

  it("says why it hangs up, also to one that is still writing", with(function(_, ex)
    local own = bare(ex)
    own.writer:put(("x"):rep(40 * 1024 * 1024))
    local answer = own.expect(1)
    assert.same({ -32600, "a line is longer than 16777216 bytes" },
      { answer.error.code, answer.error.message })
    own.expect(2)
    assert.is_true(own.ended)
    own.close()
  end))

  it("is the only one, and leaves no socket", with(function(_, ex, serving)
    local _, _, code = server.open(ex)
    assert.equal("already_started", code)
    assert.equal("other", ex.state.dir:stat(server.SOCKET).kind)
    assert.equal(384, ex.state.dir:stat(server.SOCKET).mode % 512)
    serving:close()
    assert.is_nil(ex.state.dir:stat(server.SOCKET))
    local _, _, gone = client.open(ex.state.dir)
    assert.equal("unavailable", gone)
  end))

  local function served(path)
    local host = command.start(command.program,
      { "exhost", "--state-dir", path .. "/state", "serve" })
    host:wait_until("it serves", function() return host:stderr():find("serving", 1, true) end)
    return host, assert(executor.open { id = "default", state_dir = path .. "/state" })
  end

  local function await_result(ex)
    local dir = assert(ex.state:open_execution("a1"))
    assert(scratch.wait_until(function() return dir:stat("result.json") ~= nil end),
      "nobody concluded it")
    dir:close()
  end

  it("concludes what ends, though nobody asks, also an id that is used again", scratch.with(
    function(_, path)
      local host, ex = served(path)
      for _ = 1, 20 do
        assert(ex:start(request("a1", "exit 3").request))
        await_result(ex)
        assert(ex:remove("a1", 1, { purge = true }))
      end
      host:signal(15)
      assert.equal(0, host:wait().code)
      ex:close()
    end))

  it("concludes what lost its shim", scratch.with(function(_, path)
    local host, ex = served(path)
    assert(ex:start(request("a1", "sleep 30").request))
    local shims = processes.shims(path .. "/state")
    assert.equal(1, #shims)
    processes.kill(shims)
    await_result(ex)
    assert.equal("lost", ex:wait("a1").reason)
    ex:cleanup()
    host:signal(15)
    assert.equal(0, host:wait().code)
    ex:close()
  end))

  it("takes the place of one that was killed", scratch.with(function(_, path)
    local first = command.start(command.program,
      { "exhost", "--state-dir", path .. "/state", "serve" })
    first:wait_until("it serves", function() return first:stderr():find("serving", 1, true) end)
    first:signal(9)
    first:wait()
    local ex = assert(executor.open { id = "default", state_dir = path .. "/state" })
    local serving = assert(server.open(ex))
    serving:close()
    ex:close()
  end))

  it("ends in peace when told to, and executions go on", scratch.with(function(_, path)
    local host = command.start(command.program,
      { "exhost", "--state-dir", path .. "/state", "--json", "serve" })
    host:wait_until("it serves", function() return host:stderr():find("serving", 1, true) end)
    local ex = assert(executor.open { id = "default", state_dir = path .. "/state" })
    local one = assert(client.open(ex.state.dir))
    assert(one:call("start", request("a1", "sleep 30")))
    host:signal(15)
    assert.equal(0, host:wait().code)
    assert.equal("running", ex:status("a1"))
    one:close()
    ex:cleanup()
    ex:close()
  end))
end)
