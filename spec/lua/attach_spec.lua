--- Prompts in a host that serves: who typed what, and what it may do to others.

local async = require "exhost.async"
local client = require "exhost.client"
local executor = require "exhost.executor"
local json = require "exhost.json"
local listen = require "exhost.listen"
local loop = require "exhost.loop"
local remote = require "exhost.repl.remote"
local scratch = require "support.scratch"
local system = require "exhost.system"

--- A client whose output is collected.
local function attach(ex)
  local got = {}
  local one = assert(client.open(ex.state.dir, { socket = remote.SOCKET,
    notice = function(_, params) got[#got + 1] = params.text end }))
  function one.output()
    local text = table.concat(got)
    got = {}
    return text
  end
  return one
end

local function with(body)
  return scratch.with(function(_, path)
    local ex = assert(executor.open { id = "spec", state_dir = path .. "/state" })
    local serving = assert(remote.open(ex, {}))
    local one = attach(ex)
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, one, ex, serving)
    one:close()
    serving:close()
    ex:cleanup()
    ex:close()
    if not ok then error(err, 0) end
  end)
end

local function audited(ex)
  local list = {}
  for line in (ex.state.dir:read(remote.AUDIT) or ""):gmatch("[^\n]+") do
    list[#list + 1] = json.decode(line)
  end
  return list
end

local function evaluate(one, text)
  local answer = {}
  answer.task = async.spawn(function() answer.got = { one:call("eval", { text = text }) } end)
  return answer
end

local function ended(answer)
  async.with_deadline(20, async.join, answer.task)
  return answer.got
end

describe("an attached prompt", function()
  it("runs in the host: output before the answer, errors with their trace", with(function(one, ex)
    ex.spec_mark = 42
    assert(one:call("eval", { text = "print(ex.spec_mark, 'p') return nil, 'x'" }))
    assert.equal("42\tp\nnil\n\"x\"\n", one.output())
    assert(one:call("eval", { text = "6 * 7", quiet = true }))
    assert.equal("", one.output())
    assert(one:call("eval", { text = "_ == nil" }))
    local ok, err, code = one:call("eval", { text = "error 'boo'" })
    assert.same({ nil, "internal" }, { ok, code })
    assert.matches("^prompt %d+:1: boo\nstack traceback:", err)
    assert.same({ insert = "", words = { "cancel", "cleanup", "close" } },
      one:call("complete", { text = "ex:c" }))
    assert.equal("invalid", select(3, one:call("eval", {})))
    assert.equal("invalid", select(3, one:call("start", { request = {} })))
    assert(one:call("eval", { text = "print('\\255')" }))
    assert.matches("\239\191\189\n$", one.output())
  end))

  it("is audited: who, when, what, before it runs", with(function(one, ex)
    assert(one:call("eval", { text = "x = 1\ny = 2" }))
    one:call("eval", { text = "error 'boo'" })
    local two = attach(ex)
    two:close()
    scratch.wait_until(function() return #audited(ex) == 5 end)
    local uid, _, pid = system.ids()
    local list = audited(ex)
    assert.same({ "attached", "eval", "eval", "attached", "left" },
      { list[1].event, list[2].event, list[3].event, list[4].event, list[5].event })
    assert.same({ uid, pid, "x = 1\ny = 2" }, { list[2].uid, list[2].pid, list[2].text })
    assert.matches("^%d%d%d%d%-.*Z$", list[2].time)
    assert.is_true(list[4].prompt ~= list[1].prompt)
    assert.equal(384, ex.state.dir:stat(remote.AUDIT).mode)
  end))

  it("runs nothing that it cannot note", with(function(one, ex)
    ex.state.dir:unlink(remote.AUDIT)
    ex.state.dir:mkdir(remote.AUDIT)
    local ok, err, code = one:call("eval", { text = "ex.ran = true" })
    assert.same({ nil, "io" }, { ok, code })
    assert.matches("^it was not run: write audit.jsonl: ", err)
    assert.is_nil(ex.ran)
    ex.state.dir:remove_tree(remote.AUDIT)
  end))

  it("keeps sessions apart: each has its globals and its Ctrl-C", with(function(one, ex)
    local others = {}
    for i = 1, 5 do
      others[i] = attach(ex)
      assert(others[i]:call("eval", { text = "mine = " .. i }))
    end
    local spinning = evaluate(one, "mine = 0 while true do end")
    local waiting = evaluate(others[1], "async.sleep(60)")
    local also = evaluate(others[2], "while true do end")
    for i = 3, 5 do
      assert(others[i]:call("eval", { text = "mine" }))
      assert.equal(i .. "\n", others[i].output())
    end
    assert.same({}, { spinning.got, waiting.got, also.got })
    assert.equal("already_started", select(3, one:call("eval", { text = "1" })))
    assert(others[2]:call("interrupt"))
    assert.matches("interrupted", ended(also)[2])
    assert.same({}, { spinning.got, waiting.got })
    assert(others[1]:call("interrupt"))
    ended(waiting)
    assert.matches('"cancelled"', others[1].output())
    assert.is_nil(spinning.got)
    async.cancel(spinning.task) -- a call that is cancelled stops what it runs
    assert(scratch.wait_until(function() return one:call("eval", { text = "mine" }) end))
    assert.equal("0\n", one.output())
    for _, other in ipairs(others) do other:close() end
  end))

  it("delays no execution, and the host outlives what it does", with(function(one, ex)
    local spinning = evaluate(one, "while true do pcall(error) end")
    for i = 1, 3 do
      local result = assert(ex:run { job_id = "j" .. i, engine_spec = { type = "process",
        params = { cmd = { "echo", tostring(i) } } } })
      assert.equal(i .. "\n", result.stdout)
    end
    assert.is_nil(spinning.got)
    one:call("interrupt")
    ended(spinning)
    for _, text in ipairs { "os.exit(1)", "coroutine.wrap(function() while true do end end)()",
      "error()", "error(setmetatable({}, {__tostring = error}))", "debug.sethook()",
      "local t = {} t[1] = t return t", "return ('x'):rep(1e6)" } do
      one:call("eval", { text = text })
    end
    one.output()
    assert(one:call("eval", { text = "async.spawn(function() error('in a task') end)" }))
    spinning = evaluate(one, "while true do end") -- also after debug.sethook()
    one:call("interrupt")
    assert.matches("interrupted", ended(spinning)[2])
    assert(one:call("eval", { text = "ex:id()" }))
    assert.matches('"spec"\n$', one.output())
  end))

  it("ends with its client, whatever it was doing", with(function(_, ex, serving)
    local before = async.count()
    for _, text in ipairs { "while true do end", "async.sleep(1000)", "tail('none')",
      "while true do print(('x'):rep(1000)) end" } do
      local fd = assert(listen.connect(ex.state.dir, remote.SOCKET))
      system.write(fd, json.encode { jsonrpc = "2.0", id = 1, method = "eval",
        params = { text = text } } .. "\n")
      async.sleep(0.05)
      system.close(fd)
    end
    assert.is_true(scratch.wait_until(function()
      return serving.count == 1 and async.count() <= before
    end), "sessions stay")
  end))

  it("that never reads is hung up on", with(function(_, ex, serving)
    local opened, connect = false, serving.connect
    function serving.connect(...) -- it may be gone before anybody looks
      opened = true
      return connect(...)
    end
    local fd = assert(listen.connect(ex.state.dir, remote.SOCKET))
    system.write(fd, json.encode { jsonrpc = "2.0", id = 1, method = "eval",
      params = { text = "local x = ('x'):rep(1e6) while true do print(x) end" } } .. "\n")
    local began = loop.now()
    assert.is_true(scratch.wait_until(function() return opened and serving.count == 1 end))
    assert.is_true(loop.now() - began < 20)
    system.close(fd)
  end))
end)
