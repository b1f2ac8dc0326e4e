--- Attacks on the jail that must fail: each concerns its own process, and is told as what the
-- policy did.

local async = require "exhost.async"
local build = require "exhost.build"
local loop = require "exhost.loop"
local policy = require "exhost.policy"
local scratch = require "support.scratch"
local task = require "conformance.task"
local worker = require "exhost.policy.worker"

local LIMITS = { soft = 0.05, hard = 1 } -- the hard one is of a clock that others share

local function with(source, body, modules)
  return task(function()
    local one = worker.new({ name = "p", source = source, modules = modules or {} }, LIMITS)
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, one)
    one:close()
    if not ok then error(err, 0) end
  end)
end

--- A policy whose host_config is this.
local function doing(code)
  return 'return { name = "p", version = "1", host_config = function(request, host, config) '
    .. code .. ' end }'
end

local GOOD = doing "config.GroupAdd = { 'video' } config.Memory = 5"

describe("a policy", function()
  it("assigns, and each assignment tells its line", with(GOOD, function(one)
    local log = assert(one:call({}, {})).config
    assert.same({ "GroupAdd", { "video" }, "p.lua:1" }, { log[1].field, log[1].value, log[1].at })
    assert.same({ "Memory", 5 }, { log[2].field, log[2].value })
  end))

  it("sets a scalar to one value, and appends to lists", with(doing(
    "config.A = 1\nconfig.L = {1}\nconfig.L = {2}\nconfig.A = 1\n"
      .. "if request.x then config.A = 2 end"),
    function(one)
      assert.equal(4, #assert(one:call({}, {})).config)
      local _, err, code = one:call({ x = true }, {})
      assert.equal("policy", code)
      assert.matches("A is set to two different values, at p.lua:1 and at p.lua:5", err)
      assert(one:call({}, {}))
    end))

  it("sees numbers and bytes as they are", with(doing [[
    config.N = ("%.17g %.17g"):format(request.n, request.f)
    config.S = tostring(#request.s)]], function(one)
      for _, n in ipairs { 1, 2 ^ 53, 1e15 + 1 } do
        local f = n == 1 and 0.5 or 0.1 + 0.2
        local log = assert(one:call({ n = n, f = f, s = "é\0x" }, {})).config
        assert.equal(string.format("%.17g %.17g", n, f), log[1].value)
        assert.equal("4", log[2].value)
      end
    end))

  it("may refuse", with(doing "return nil, 'not today'", function(one)
    assert.equal("not today", assert(one:call({}, {})).refused)
  end))

  it("assigns, and is told so when it answers instead", task(function()
    local cases = { ["return { GroupAdd = {} }"] = "a table", ["return 'no'"] = "a string",
      ["return false, 'no'"] = "a boolean", ["return host"] = "a table",
      ["return true"] = true, ["config.A = 1 return config"] = true, ["return nil"] = true }
    for code, expected in pairs(cases) do
      local one = worker.new({ name = "p", source = doing(code), modules = {} }, LIMITS)
      local value, err, kind = one:call({}, {})
      one:close()
      if expected == true then
        assert.is_table(value, err)
      else
        assert.equal("policy", kind)
        assert.is_truthy(err:find("p.lua: host_config answers " .. expected
          .. ": assign to its third argument instead", 1, true), err)
      end
    end
  end))

  it("may require files beside it, and print", with(
    "local h = require 'helper' return { name = 'p', version = '1', host_config = "
      .. "function(_, _, c) print('seen', 1) c.X = h.x end }", function(one)
      assert.equal(7, assert(one:call({}, {})).config[1].value)
      assert.same({ "seen\t1" }, one.printed)
    end, { helper = "return { x = 7 }" }))

  it("sees the machine as it is told now, whatever it did with it before", with(doing [[
    config.N = #host.gpus
    config.First = host.gpus[1].uuid
    config.New = tostring(host.new)
    host.gpus[1].uuid, host.new, host.gpus[2] = "changed", true, nil
    if request.slow then while true do end end
    if request.big then host.all = ("x"):rep(2e5):rep(100) end]], function(one)
      local function seen(request, host)
        local log = assert(one:call(request, host)).config
        return { log[1].value, log[2].value, log[3].value }
      end
      local two = { gpus = { { uuid = "a" }, { uuid = "b" } } }
      for _ = 1, 3 do assert.same({ 2, "a", "nil" }, seen({}, two)) end
      assert.same({ 1, "c", "nil" }, seen({}, { gpus = { { uuid = "c" } } }))
      assert.same({ 2, "a", "nil" }, seen({}, two))
      assert.is_nil(one:call({ slow = true }, two))
      assert.same({ 2, "a", "nil" }, seen({}, { gpus = { { uuid = "a" }, { uuid = "b" } } }))
      assert.is_nil(one:call({ big = true }, two))
      assert.same({ 2, "a", "nil" }, seen({}, two))
      assert.is_nil(one:call({ pad = ("x"):rep(3 * 1024 * 1024) }, { gpus = { { uuid = "d" } } }))
      assert.same({ 2, "a", "nil" }, seen({}, two))
      one:close()
      assert.same({ 2, "a", "nil" }, seen({}, two))
    end))

  it("has no process when nobody asks for a while", task(function()
    local one = worker.new({ name = "p", source = GOOD, modules = {} },
      { soft = 0.05, hard = 1, idle = 0.1 })
    for _ = 1, 2 do
      assert(one:call({}, {}))
      assert(one.process)
      assert(scratch.wait_until(function() return one.process == nil end))
    end
    one:close()
  end))

  it("is refused with its line when it is no policy", task(function()
    for source, expected in pairs {
      ["return 1"] = "a policy answers a table", ["return {"] = "p.lua:1: unexpected symbol",
      ["return { name = 'p' }"] = "version is missing",
      ["return { name = 'p', version = '1', wrong = 1 }"] = "unknown field wrong",
      ["return { name = 'p', version = 1 }"] = "version: expected a string, got a number",
      ["return { name = 'p', version = '' }"] = "version: expected 1 to 64 printable",
      ["return { name = 'p', version = '1\\n2' }"] = "version: expected 1 to 64 printable",
      ["return { name = 'p', version = '\255' }"] = "version: expected 1 to 64 printable",
      ["return { name = 'p', version = ('1'):rep(65) }"] = "version: expected 1 to 64 printable",
      ["return { name = '\27[2J', version = '1' }"] = "name: expected 1 to 64 printable",
      ["\27LJ\2"] = "bytecode is not loaded",
      ["error('x')"] = "p.lua:1: x", ["require 'os'"] = "no file os.lua beside the policy",
      ["return { name = 'p', version = '1', host_config = function(_, _, c) c.A = 1 end, "
        .. "examples = { { expect = { A = 2 } } } }"] = "example 1: A differs",
    } do
      local one = worker.new({ name = "p", source = source, modules = {} }, LIMITS)
      local about, err, code = one:load()
      one:close()
      assert.is_nil(about)
      assert.equal("policy", code)
      assert.is_truthy(err:find(expected, 1, true), err)
    end
  end))
end)

local attacks = {}

describe("the jail holds against", function()
  local function attack(name, code, expected)
    attacks[#attacks + 1] = code
    it(name, with(doing(code), function(one)
      local before = loop.now()
      local value, err, kind = one:call({}, {})
      assert.is_nil(value, name)
      assert.equal("policy", kind)
      assert.is_truthy(err:find(expected, 1, true), err)
      assert.is_true(loop.now() - before < 5)
    end))
  end

  for _, name in ipairs { "os", "io", "ffi", "debug", "jit", "package", "load", "loadstring",
    "dofile", "loadfile", "setfenv", "getfenv", "collectgarbage", "newproxy", "cjson",
    "getmetatable", "coroutine" } do
    it("use of " .. name, with(doing("config.X = tostring(" .. name .. ")"), function(one)
      assert.equal("nil", assert(one:call({}, {})).config[1].value)
    end))
  end

  attack("an endless loop", "while true do end",
    "policy p version 1: p.lua:1: it takes longer than 50 ms")
  attack("one that swallows errors", "while true do pcall(function() while true do end end) end",
    "it takes longer than 50 ms")
  attack("a pattern that backtracks for ever",
    "return (('a'):rep(40)):find(('.-'):rep(40) .. 'b')", "hard limit")
  attack("a table without end", "local t = {} while true do t[#t + 1] = {} end", "")
  attack("strings without end", "local s = 'x' while true do s = s .. s end", "")
  attack("a string that is too long", "return ('x'):rep(1e9)", "too long")
  attack("endless recursion", "local function f() return f() + 1 end f()", "stack overflow")
  attack("a sort that never ends", "local t = {} for i = 1, 1e5 do t[i] = i end "
    .. "while true do table.sort(t, function(a, b) return a > b end) end", "longer than 50 ms")
  attack("a table that holds itself", "local t = {} t.t = t config.X = t", "holds itself")
  attack("deep nesting", "local t = {} for _ = 1, 50 do t = { t } end config.X = t", "deeply")
  attack("a list with holes", "config.X = { [1] = 1, [3] = 3 }", "p.lua:1: X: a list has holes")
  attack("a table that is both", "config.X = { 'a', x = 1 }", "p.lua:1: X: a table is both")
  attack("infinity", "config.X = math.huge", "not a finite number")
  attack("functions as values", "config.X = print", "a function cannot be given")
  attack("what is no number", "config.X = 0/0", "not a finite number")
  attack("an answer over the cap", "for i = 1, 3000 do config['x' .. i] = ('y'):rep(100) end",
    "longer than")
  attack("an error that is no text", "error({})", "table")
  attack("string.dump", "return string.dump(print)", "attempt to call")
  attack("string.dump by a string", "return (''):dump()", "attempt to call")

  attack("metatables of the recorder", "setmetatable(config, {})", "protected metatable")
  attack("a metatable that never ends",
    "return tostring(setmetatable({}, { __tostring = function() while true do end end }))",
    "longer than 50 ms")
  attack("an error that never ends", "error(setmetatable({}, { __tostring = function() "
    .. "while true do end end }))", "p version 1: an error that is a table")

  it("a table that seems to have every field, of which none is set", with(doing
    "config.X = setmetatable({}, { __index = function() return true end })", function(one)
      local log = assert(one:call({}, {})).config
      assert.same({ "X", {} }, { log[1].field, log[1].value })
    end))

  it("policies in each other's strings", task(function()
    local one = worker.new({ name = "p", source = doing "string.byte = 'haha'", modules = {} },
      LIMITS)
    local two = worker.new({ name = "q", source = doing "config.X = ('a'):byte()", modules = {} },
      LIMITS)
    assert(one:call({}, {}))
    assert.equal(97, assert(two:call({}, {})).config[1].value)
    one:close()
    two:close()
  end))

  it("all of this, and serves the next call", with(doing
    "if request.bad then while true do end end config.X = 1", function(one)
      for _ = 1, 3 do
        assert.is_nil((one:call({ bad = true }, {})))
        assert.equal(1, assert(one:call({}, {})).config[1].value)
      end
    end))

  it("a process of it that is killed, idle or at work", with(doing
    "if request.long then while true do end end config.X = 1", function(one)
      for _ = 1, 3 do
        assert.equal(1, assert(one:call({}, {})).config[1].value)
        local working = async.spawn(function() return one:call({ long = true }, {}) end)
        one.process:signal(9)
        local _, err = async.join(working)
        assert.matches("policy p version 1: its process ended", err)
        one:load()
        one.process:signal(9)
        assert(scratch.wait_until(function() return one.process == nil end))
      end
    end))

  local MANY = tonumber(os.getenv("EXHOST_ATTACKS") or 60)
  it(MANY .. " attacks in a row, beside a policy that works", task(function()
    local source = {}
    for i, code in ipairs(attacks) do
      source[i] = string.format("if request.attack == %d then %s end", i, code)
    end
    local bad = worker.new({ name = "p", source = doing(table.concat(source, "\n")), modules = {} },
      LIMITS)
    local good = worker.new({ name = "q", source = GOOD, modules = {} }, LIMITS)
    assert(bad:load())
    assert(good:load())
    local descriptors, memory
    for i = 0, MANY do
      local value, _, code = bad:call({ attack = i % #attacks + 1 }, {})
      assert.same({ nil, "policy" }, { value, code })
      assert.equal(5, assert(good:call({}, {})).config[2].value)
      if i == #attacks then -- by then all buffers are made
        collectgarbage() collectgarbage()
        descriptors, memory = scratch.count(scratch.descriptors()), collectgarbage("count")
      end
    end
    assert(bad:load())
    collectgarbage() collectgarbage()
    assert.is_true(scratch.count(scratch.descriptors()) <= descriptors + 2)
    assert.is_true(collectgarbage("count") < memory + 1024, "kB of Lua's memory")
    bad:close()
    good:close()
  end, 60 + MANY))

  it("a hang, which delays its own job only", with(doing
    "return (('a'):rep(40)):find(('.-'):rep(40) .. 'b')", function(one)
      local other = worker.new({ name = "q", source = GOOD, modules = {} }, LIMITS)
      assert(other:load())
      local hanging = async.spawn(function() return one:call({}, {}) end)
      local before = loop.now()
      assert(other:call({}, {}))
      assert.is_true(loop.now() - before < LIMITS.hard)
      local _, err = async.join(hanging)
      assert.matches("hard limit", err)
      other:close()
    end))
end)

describe("the policies that are shipped", function()
  it("load, pass their examples, and are short", task(function()
    local policies = policy.new({ policy_soft = 0.05, policy_hard = 0.25 })
    local seen = {}
    for _, one in ipairs(policies:list()) do
      assert.is_nil(one.error)
      assert.is_true(one.about.examples > 0)
      seen[#seen + 1] = one.name
      local lines = 0
      for _ in io.lines(build.share .. "/policies/" .. one.name .. ".lua") do lines = lines + 1 end
      assert.is_true(lines < 80)
    end
    policies:close()
    assert.same({ "amd", "cpu", "intel", "nvidia" }, seen)
  end))
end)
