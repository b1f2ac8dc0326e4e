--- Commands on folders that a host serves: the specs of the command once more, since it makes no
--- difference, and then what the host is good for, and what happens without its help.

local async = require "exhost.async"
local cli = require "support.cli"
local executor = require "exhost.executor"
local scratch = require "support.scratch"
local served = require "exhost.cli.served"
local server = require "exhost.server"
local system = require "exhost.system"

describe("with a host that serves,", function()
  cli.served = true
  for _, file in ipairs { "run", "commands" } do
    setfenv(assert(loadfile("spec/cli/" .. file .. "_spec.lua")), getfenv())()
  end
  cli.served = nil
end)

local STARTS = 'exhost_calls_total{code="ok",method="start"} '

--- How many starts the host has done.
local function starts(x)
  return tonumber(x:run({ "metrics" }).out:match(STARTS:gsub("%p", "%%%0") .. "(%d+)")) or 0
end

describe("a host that serves", function()
  it("starts what a command asks for, and plans it", cli.with(function(x)
    x:serve()
    assert.equal(0, x:run({ "run", "--", "true" }).code)
    assert.equal(0, x:run({ "start", "--id", "one", "--", "sleep", "60" }).code)
    assert.equal(2, starts(x))
    local _, err, code = x:json { "start", "--id", "one", "--", "true" }
    assert.same({ "already_started", 125 }, { err.code, code })
    assert.equal("process", (x:json { "plan", "--", "true" }).backend)
    assert.is_truthy(x:run({ "metrics" }).out:find('{code="ok",method="plan"} 1', 1, true))
    local words = { "--json", "plan", "--id", "two", "--", "true" }
    assert.equal(x:run({ "--no-serve", unpack(words) }).out, x:run(words).out)
    assert.equal("[]\n", x:run({ "rpc", "list", '{"backend":"docker"}' }).out)
    _, err, code = x:json { "run", "--", "/nowhere" }
    assert.same({ "engine", 127, "exec" }, { err.code, code, err.data.step })
    assert.is_nil(err.data.code)
  end))

  it("is told by whom it was asked, and tells that", cli.with(function(x)
    x:serve()
    assert.equal(0, x:run({ "start", "--id", "s1", "--", "sleep", "60" }).code)
    local asking = x:start { "rpc", "cancel", '{"id":"s1","wait":true}' }
    local pid = asking.process:pid()
    assert.equal(0, asking:wait().code)
    local by
    for _, event in ipairs(x:json { "why", "s1" }) do
      if event.event == "cancel" then by = event end
    end
    assert.same({ pid, (system.ids()) }, { by.pid, by.uid })
  end))

  it("is not asked where the command says what its host is to be", cli.with(function(x)
    x:serve()
    x.dir:write("c.lua", "return {}")
    for _, more in ipairs { { "--no-serve" }, { "--lua-path", x.path },
      { "--config", x.path .. "/c.lua" } } do
      local words = { "run", unpack(more) }
      words[#words + 1] = "true"
      assert.equal(0, x:run(words).code)
    end
    local ran = x:run { "run", "--", "printf", "\255\1" }
    assert.same({ 0, "\255\1" }, { ran.code, ran.out })
    ran = x:sh "ulimit -Sn 99; $exhost run -- sh -c 'ulimit -Sn'"
    assert.same({ "99\n", "" }, { ran.out, ran.err })
    assert.equal(0, starts(x))
  end))

  it("is not waited for when it hangs or is dead", cli.with(function(x)
    local host = x:serve()
    host:signal(19) -- STOP
    assert.equal("here\n", x:run({ "run", "--", "echo", "here" }).out)
    host:signal(9)
    async.sleep(0)
    assert.is_truthy(x.dir:open("state"):open("default"):stat("serve.sock"))
    assert.equal("here\n", x:run({ "run", "--", "echo", "here" }).out)
    assert.equal(9, host:wait().signal)
  end))
end)

local QUIET = { json = true } -- a command that shows no progress

-- A backend whose create takes its time, so that something can happen meanwhile.
local SLOW = [[
local async = require "exhost.async"
local bare = assert(loadfile(%q))()
local backend = {}
for key, value in pairs(bare) do backend[key] = value end
backend.name, backend.environment = "slow", { "EXHOST_NONE_SUCH" }
local open = bare.open
function backend.open(config)
  local one = open(config)
  function one:create(execution)
    if execution.dir:stat("slow") == nil then execution.dir:create("slow", "") end
    local ok, word = async.sleep(_G.slow_seconds or 0)
    if not ok then return nil, word, word end
    return bare.create(self, execution)
  end
  return one
end
return backend
]]

describe("a start by a host", function()
  local function with(body)
    return scratch.with(function(dir, path)
      local build = require "exhost.build"
      dir:open("backends", true):open("slow", true):write("init.lua",
        SLOW:format(build.share .. "/backends/process/init.lua"))
      local options = { state_dir = path .. "/state", lua_path = path }
      local theirs, ours = assert(executor.open(options)), assert(executor.open(options))
      local host = assert(server.open(theirs))
      local ok, err = xpcall(body, function(e)
        return type(e) == "table" and e or debug.traceback(e, 2)
      end, ours, host, theirs)
      _G.slow_seconds = nil
      ours:cleanup()
      host:close()
      theirs:close()
      ours:close()
      if not ok then error(err, 0) end
    end)
  end

  local function asked()
    return { execution_id = "e1", job_id = "e1",
      engine_spec = { type = "slow", params = { cmd = { "sleep", "60" } } } }
  end

  local function begun(ex)
    assert(scratch.wait_until(function() return ex.state.executions:stat("e1") ~= nil end))
  end

  it("that dies in it is done here", with(function(ours, host)
    _G.slow_seconds = 30
    local task = async.spawn(function() return served.start(QUIET, ours, {}, asked()) end)
    begun(ours)
    _G.slow_seconds = 0
    host:close()
    assert.equal("e1", async.join(task))
    assert.equal("running", ours:status("e1"))
  end))

  it("is rolled back there when who asked is interrupted", with(function(ours)
    _G.slow_seconds = 30
    local task = async.spawn(function() return served.start(QUIET, ours, {}, asked()) end)
    begun(ours)
    async.cancel(task)
    local id, _, code = async.join(task)
    assert.same({ nil, "cancelled" }, { id, code })
    assert.equal("not_found", select(3, ours:status("e1")))
    _G.slow_seconds = 0
    assert.equal("e1", served.start(QUIET, ours, {}, asked()))
  end))

  it("is not asked of another version", scratch.with(function(_, path)
    local ex = assert(executor.open { state_dir = path .. "/state" })
    local methods = {}
    local host = assert(server.open(ex, { dialect = { socket = server.SOCKET,
      knows = function() return true end, opened = function() end, closed = function() end,
      call = function(_, method)
        methods[#methods + 1] = method
        return { id = "default", version = "0.0.1" }
      end } }))
    local request = asked()
    request.engine_spec.type = "process"
    assert.equal("e1", served.start(QUIET, ex, {}, request))
    assert.equal("running", ex:status("e1"))
    assert.same({ "id" }, methods)
    ex:cleanup()
    host:close()
    ex:close()
  end))
end)
