--- What a prompt does with what is typed, without a terminal.

local async = require "exhost.async"
local complete = require "exhost.repl.complete"
local executor = require "exhost.executor"
local history = require "exhost.repl.history"
local loop = require "exhost.loop"
local pretty = require "exhost.repl.pretty"
local scratch = require "support.scratch"
local session = require "exhost.repl.session"

describe("pretty", function()
  it("sorts, indents and quotes", function()
    assert.equal("{ 1, 2, a = 1, [\"a b\"] = \"x\\n\\\"\\000\", b = true, [\"end\"] = 2 }",
      pretty { 1, 2, b = true, a = 1, ["a b"] = "x\n\"\0", ["end"] = 2 })
    assert.equal("{\n  a = \"" .. ("x"):rep(80) .. "\",\n  b = {}\n}",
      pretty { a = ("x"):rep(80), b = {} })
    assert.same({ "nil", "0.1", "9007199254740993", "{}" }, { pretty(nil), pretty(0.1),
      pretty(9007199254740993):gsub("2$", "3"), pretty {} })
  end)

  it("copes with cycles, depth, big tables and long text", function()
    local t = { name = "t" }
    t.self, t.list = t, { t, { t } }
    assert.equal("{ list = { <cycle>, { <cycle> } }, name = \"t\", self = <cycle> }", pretty(t))
    local deep = {}
    for _ = 1, 500 do deep = { deep } end
    assert.is_truthy(pretty(deep):find("{…}", 1, true))
    local big = {}
    for i = 1, 3000 do big[i] = i end
    for i = 1, 4000 do big["k" .. i] = i end
    local text = pretty(big)
    assert.is_true(#text < 2000, #text)
    assert.is_truthy(text:find("… 6940 more", 1, true))
    assert.is_truthy(pretty(("x"):rep(1e6)):find(" … 999600 bytes more", 1, true))
    local wide = {}
    for i = 1, 50 do wide[i] = {} for k = 1, 50 do wide[i][k] = ("y"):rep(300) end end
    assert.is_true(#pretty(wide) < 64 * 1024)
  end)

  it("runs no code", function()
    local touched = false
    local function touch() touched = true return "x" end
    local mt = { __index = touch, __tostring = touch, __pairs = touch, __len = touch,
      __metatable = "hidden" }
    assert.is_string(pretty(setmetatable({ 1 }, mt)))
    assert.is_string(pretty { [setmetatable({}, mt)] = setmetatable({}, mt) })
    local ud = newproxy(true)
    getmetatable(ud).__tostring = touch
    assert.equal("userdata", pretty(ud))
    assert.is_false(touched)
  end)
end)

describe("complete", function()
  local base = { cancel = function() end, cleanup = function() end, name = "x" }
  local env = setmetatable({
    ex = setmetatable({ id = 1, ["not a name"] = 2 }, { __index = base }), text = "s",
    exact = {},
  }, { __index = { print = print } })
  local function words(text, strings) return complete(env, text, strings).words end

  it("finds globals, fields and methods", function()
    assert.same({ insert = "", words = { "ex", "exact" } }, complete(env, "return ex"))
    assert.same({ insert = "int(", words = { "print" } }, complete(env, "x = pr"))
    assert.same({ "cancel", "cleanup", "id", "name" }, words "ex.")
    assert.same({ "cancel", "cleanup" }, words "ex:c")
    assert.same({}, words "ex:n")
    assert.same({ insert = "eanup(", words = { "cleanup" } }, complete(env, "f(ex:cl"))
    assert.same({ "upper" }, words "text:upp")
    assert.same({ insert = "ile ", words = { "while" } }, complete(env, "wh"))
    assert.same({}, words "")
    assert.same({}, words "none.at.all")
  end)

  it("offers what fits in a string", function()
    local function ids(call) return call == "why" and { "job-1", "job-2" } or {} end
    assert.same({ insert = "b-", words = { "job-1", "job-2" } }, complete(env, 'why("jo', ids))
    assert.same({ insert = '"', words = { "job-1" } }, complete(env, 'why "job-1', ids))
    assert.same({}, words('print("jo', ids))
    assert.same({ "ex", "exact" }, words('why("job-1", ex', ids))
  end)

  it("runs no code, whatever is there", function()
    local touched = false
    local trap = setmetatable({}, { __index = function() touched = true return {} end })
    local holder = { trap = trap, chain = setmetatable({}, { __index = trap }) }
    assert.same({}, complete(holder, "trap.x").words)
    assert.same({}, complete(holder, "trap.x.y").words)
    assert.same({}, complete(holder, "chain.any.thing").words)
    local loop_of = {}
    setmetatable(loop_of, { __index = loop_of })
    assert.same({}, complete({ l = loop_of }, "l.").words)
    assert.is_false(touched)
  end)
end)

describe("history", function()
  it("is ours alone, is added to, and stays bounded", scratch.with(function(dir)
    history.add(dir, "one")
    history.add(dir, "  ")
    history.add(dir, "two")
    assert.same({ "one", "two" }, history.read(dir))
    assert.equal(384, dir:stat("repl_history").mode) -- 0600
    for i = 1, 3000 do history.add(dir, ("%05d"):format(i) .. ("x"):rep(50)) end
    local kept = history.read(dir)
    assert.equal(1000, #kept)
    assert.is_true(dir:stat("repl_history").size < 128 * 1024)
    history.add(dir, "last")
    kept = history.read(dir)
    assert.equal("last", kept[#kept])
  end))
end)

--- A prompt on an executor; what it writes is collected in `out`.
local function with(body, terminal)
  return scratch.with(function(_, path)
    local ex = assert(executor.open { id = "spec", state_dir = path .. "/state" })
    local out = {}
    local prompt = session.new(ex, { terminal = terminal,
      write = function(text) out[#out + 1] = text end })
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, prompt, function()
      local text = table.concat(out)
      out = {}
      return text
    end, ex)
    prompt:close()
    ex:cleanup()
    ex:close()
    if not ok then error(err, 0) end
  end)
end

describe("a prompt", function()
  it("shows values, keeps globals to itself, and knows the last value", with(function(prompt, out)
    for _, text in ipairs { "1 + 1", "=_ * 2", "x = _", "x, nil, 'y'", "print('p', nil)",
      "local function f() return end f()" } do
      assert(prompt:eval(text))
    end
    assert.equal("2\n4\n4\nnil\n\"y\"\np\tnil\n", out())
    assert.is_nil(rawget(_G, "x"))
    assert(prompt:eval("quiet", true))
    assert.equal("", out())
  end))

  it("knows when more lines are wanted", function()
    for _, text in ipairs { "for i = 1, 2 do", "f(", "{1,", "x = {", "[[a", "if x then\nf()",
      "=f(" } do
      assert.is_true(session.incomplete(text), text)
    end
    for _, text in ipairs { "x", "=x", "x = 1", "end", "\"abc", "for", "x = = 1", "f()" } do
      assert.is_true(not session.incomplete(text) or text == "for", text)
    end
  end)

  it("tells of errors with a trace of what was typed", with(function(prompt)
    local ok, err, code = prompt:eval("local function f() error('boo') end f()")
    assert.same({ nil, "internal" }, { ok, code })
    assert.matches("^prompt %d+:1: boo\nstack traceback:\n.*in function 'f'", err)
    assert.is_nil(err:find("session.lua", 1, true))
    assert.equal("{ a = 1 }", select(2, prompt:eval("error {a = 1}")))
    assert.equal("invalid", select(3, prompt:eval("x = = 1")))
    assert.matches("Ctrl%-D leaves it", (select(2, prompt:eval("os.exit(1)"))))
  end))

  it("has calls that suspend, and helpers", with(function(prompt, out)
    assert(prompt:eval("async.sleep(0.01)"))
    assert.equal("true\n", out())
    assert(prompt:eval([[ex:start { job_id = "j1", execution_id = "e1",
      engine_spec = { type = "process", params = { cmd = { "sh", "-c", "echo a; echo b" } } } } ]]))
    assert(prompt:eval("tail('e1')"))
    assert.equal("\"e1\"\na\nb\n", out())
    assert(prompt:eval("ex:wait('e1').exit_code"))
    assert.equal("0\n", out())
    assert(prompt:eval("ps()"))
    assert.matches("^EXECUTION .*\ne1 +j1 +process +success +0 ", out())
    assert(prompt:eval("why('e1')"))
    assert.matches("^execution e1, from .*\n[%d.]+m?s +concluded ", out())
    assert(prompt:eval("inspect('e1').status"))
    assert.equal("\"success\"\n", out())
    assert(prompt:eval("why('none')"))
    assert.equal("nil\n\"execution (none) not found\"\n\"not_found\"\n", out())
    assert(prompt:eval("plan { engine_spec = { type = 'process', params = { cmd = { 'true' } } } }"
      .. ".body.argv"))
    assert.equal("{ \"true\" }\n", out())
    assert(prompt:eval("help()"))
    assert.matches("policy%.try%(file, request%)", out())
    assert.same({ insert = "1\"", words = { "e1" } }, prompt:complete('inspect("e'))
  end))

  it("tries a policy file in place of the installed one", with(function(prompt, out)
    assert(prompt:eval("#policy.list() > 0"))
    assert.equal("true\n", out())
    assert(prompt:eval("policy.try('policies/cpu.lua', {engine_spec = {type = 'process',"
      .. "params = {cmd = {'true'}}}})"))
    assert.matches("^nil\n\"policy.try: backend process does not ask the policy cpu", out())
    assert(prompt:eval("policy.try('policies/nowhere.lua', {})"))
    assert.matches("^nil\n\".*nowhere.lua", out())
  end))

  it("is stopped in loops of any length that are in the library most of the time", with(
    function(prompt, out)
      for length = 1, 60 do
        local text = "while true do async.sleep(0.001) " .. ("local _ = 1 "):rep(length) .. "end"
        local done
        local running = async.spawn(function() done = { prompt:eval(text) } end)
        prompt:interrupt() -- from now on it is cancelled, and sleep answers at once
        async.join(running)
        assert.matches("interrupted", done[2])
        out()
      end
    end))

  it("is stopped, whatever runs, and what else runs has its turns", with(function(prompt, out)
    for _, text in ipairs { "while true do end", "while true do pcall(error) end",
      "while true do pcall(function() while true do end end) end", "async.sleep(60)",
      "while true do async.sleep(0.001) end" } do
      local turns = 0
      local ticking = async.spawn(function()
        while async.sleep(0.001) do turns = turns + 1 end
      end)
      local done
      local running = async.spawn(function() done = { prompt:eval(text) } end)
      for _ = 1, 1000 do
        if turns >= 5 then break end
        async.sleep(0.005)
      end
      assert.is_true(turns >= 5, text .. ": others had no turn")
      assert.is_nil(done)
      prompt:interrupt()
      async.with_deadline(20, async.join, running)
      assert.is_table(done, text .. ": not stopped")
      if done[1] == nil then assert.matches("interrupted", done[2]) end
      async.cancel(ticking)
      out()
    end
    assert(prompt:eval("1"))
    assert.equal("1\n", out())
  end))

  it("is stopped in what it left behind, too", with(function(prompt)
    local before = async.count()
    assert(prompt:eval("async.spawn(function() while true do end end)", true))
    assert.equal(before + 1, async.count())
    prompt:interrupt()
    assert.is_true(scratch.wait_until(function() return async.count() == before end))
  end))

  it("is cut off where it cannot be given turns", with(function(prompt)
    for _, text in ipairs { "coroutine.wrap(function() while true do end end)()",
      "table.sort({1, 2, 3}, function() while true do end end)" } do
      local began = loop.now()
      local ok, err = prompt:eval(text)
      assert.is_nil(ok)
      assert.matches("held the host for a second", err)
      assert.is_true(loop.now() - began < 20)
    end
  end))

  it("stops only what was typed at it", with(function(prompt, _, ex)
    local other = session.new(ex, { write = function() end })
    local one, two
    async.spawn(function() one = { prompt:eval("while true do end") } end)
    local task = async.spawn(function() two = { other:eval("while true do end") } end)
    async.sleep(0.05)
    prompt:interrupt()
    for _ = 1, 2000 do
      if one then break end
      async.sleep(0.005)
    end
    assert.matches("interrupted", one[2])
    assert.is_nil(two)
    other:interrupt()
    async.with_deadline(20, async.join, task)
    assert.matches("interrupted", two[2])
    other:close()
  end))

  it("stops and suspends no library in what it calls of LuaJIT's own", with(function(prompt)
    -- table.remove is bytecode, without a source that would tell whose it is.
    local hold, held = assert(loadstring([[local held, list = false, {}
      for i = 1, 200 do list[i] = i end
      return function()
        held = true
        for _ = 1, 20 do list[200] = table.remove(list, 1) end
        held = false
      end, function() return held end]], "@spec/backends/holds.lua"))()
    prompt.env.hold = hold
    for round = 1, 60 do
      local turns, torn, ended = 0, false, nil
      local ticking = async.spawn(function()
        while async.yield() do
          turns, torn = turns + 1, torn or held()
        end
      end)
      local running = async.spawn(function()
        ended = { prompt:eval(("local _ = 1 "):rep(round) .. "while true do hold() end") }
      end)
      while turns < 3 do async.sleep(0.001) end
      prompt:interrupt()
      async.with_deadline(20, async.join, running)
      async.cancel(ticking)
      assert.matches("interrupted", ended[2])
      assert.is_false(torn or held())
    end
  end))

  it("does not tear the library: a call that is stopped gives back what it holds",
    with(function(prompt, _, ex)
      for i = 1, 5 do
        local text = ([[for k = 1, 1000 do ex:run { job_id = "r%d-" .. k, engine_spec = {
          type = "process", params = { cmd = { "true" } } } } end]]):format(i)
        local task = async.spawn(function() prompt:eval(text) end)
        async.sleep(0.02 * i)
        prompt:interrupt()
        async.with_deadline(20, async.join, task)
        assert.is_true(task.done)
      end
      assert(ex:cleanup())
      assert.same({}, ex:list { all = false })
      local result = ex:run { engine_spec = { type = "process", params = { cmd = { "true" } } } }
      assert.equal(0, result.exit_code)
    end))
end)
