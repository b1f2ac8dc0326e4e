local async = require "exhost.async"
local command = require "support.command"
local scratch = require "support.scratch"
local state = require "exhost.state"
local system = require "exhost.system"

local function with_store(body)
  return scratch.with(function(dir, path)
    local store = assert(state.open(path .. "/state", "root"))
    body(store, dir, path)
    store:close()
  end)
end

local FILES = { ["state.json"] = '{"format":1,"phase":"creating"}', ["request.json"] = "{}" }

describe("state.open", function()
  it("makes private folders, again and again", with_store(function(store, _, path)
    local again = assert(state.open(path .. "/state", "root"))
    assert.same({}, again:ids())
    again:close()
    again:close()
    local open = command.sh("find $D/state -perm /077", { env = { D = path } })
    assert.equal("", open.out)
    assert.equal(path .. "/state", store.path)
  end))

  it("refuses folders that others may enter, and says what to do", scratch.with(function(dir, path)
    for _, where in ipairs { "state", "state/root", "state/root" .. "/executions" } do
      assert(state.open(path .. "/state", "root")):close()
      command.sh("chmod 0711 $D/" .. where, { env = { D = path } })
      local store, err, code = state.open(path .. "/state", "root")
      assert.is_nil(store)
      assert.equal(string.format("open state folder %s: it must be owned by you and closed to "
        .. "others (chmod 700 %s)", path .. "/" .. where, path .. "/" .. where), err)
      assert.equal("denied", code)
      dir:remove_tree("state")
    end
    dir:write("file", "")
    assert.matches("ENOTDIR", select(2, state.open(path .. "/file", "root")))
  end))

  it("by default is named by the environment, or the user's own", scratch.with(function(_, path)
    local ask = { args = { path }, env = { EXHOST_STATE_DIR = path .. "/named" } }
    local script = [[print(require("exhost.state").default_path())]]
    assert.equal(path .. "/named\n", command.lua(script, ask).out)
    ask.env = { HOME = path, XDG_STATE_HOME = "", EXHOST_STATE_DIR = "" }
    local expected = system.ids() == 0 and "/var/lib/exhost" or path .. "/.local/state/exhost"
    assert.equal(expected .. "\n", command.lua(script, ask).out)
  end))
end)

describe("a new execution's folder", function()
  it("appears whole and locked, once", with_store(function(store)
    local dir, lock = assert(store:create("e1", FILES))
    assert.same({ "e1" }, store:ids())
    assert.equal("creating", state.read(dir).phase)
    assert.equal("fifo", dir:stat("control").kind)
    assert.equal("EAGAIN", select(3, dir:lock("lock")))
    local second, err, code = store:create("e1", FILES)
    assert.same({ "nil", "already_started" }, { type(second), code })
    assert.is_string(err)
    assert.same({ "e1" }, store.executions:list())
    lock:close()
    dir:close()
  end))

  it("is opened by its id or by one that stands for it, and by nothing else", with_store(
    function(store)
      local dir, lock = store:create("e1", FILES)
      lock:close()
      dir:close()
      assert.is_true(store:add_alias("e2", "e1"))
      assert.is_true(store:add_alias("e2", "e1"))
      for _, id in ipairs { "e1", "e2" } do
        local opened, real = store:open_execution(id)
        assert.equal("e1", real)
        opened:close()
      end
      for _, id in ipairs { "e3", "", ".", "..", "../e1", "e1/", ".new-x", "e\0", ("e"):rep(129),
        {}, 7 } do
        assert.equal("not_found", select(3, store:open_execution(id)))
      end
    end))
end)

describe("state.lock", function()
  it("waits for its holder, up to its own or the task's deadline", scratch.with(function(dir)
    local lock = assert(state.lock(dir, "lock"))
    assert.same({ nil, "locked by another host", "timeout" }, { state.lock(dir, "lock", 0.02) })
    assert.same({ nil, "timeout", "timeout" },
      { async.with_deadline(0.02, state.lock, dir, "lock", 10) })
    local waiter = async.spawn(function() return state.lock(dir, "lock") end)
    async.cancel(waiter)
    assert.same({ nil, "cancelled", "cancelled" }, { async.join(waiter) })
    waiter = async.spawn(function() return state.lock(dir, "lock", 10) end)
    async.sleep(0.01)
    lock:close()
    async.join(waiter):close()
    dir:remove_tree("lock")
    dir:mkdir("lock")
    assert.equal("io", select(3, state.lock(dir, "lock", 10)))
  end))
end)

describe("state.read", function()
  it("says what it cannot read, and never what is from a newer exhost", scratch.with(function(dir)
    local record = { phase = "running", x = { 1, 2 } }
    assert.is_true(state.write(dir, record))
    assert.equal(state.FORMAT, state.read(dir).format)
    assert.is_nil(state.read_json(dir, "none.json"))
    for _, text in ipairs { "", "{", "[]", "{}", '{"format":1}', "null", '"x"', "\0" } do
      dir:write("state.json", text)
      assert.same({ nil, "state.json does not parse" }, { state.read(dir) })
    end
    dir:write("state.json", '{"format":2,"phase":"running"}')
    local none, why, kind = state.read(dir)
    assert.same({ "nil", "newer" }, { type(none), kind })
    assert.matches("format 2", why)
  end))
end)

describe("a job", function()
  it("is held by one execution until it is released", with_store(function(store)
    for _, id in ipairs { "e1", "e2" } do
      local dir, lock = store:create(id, FILES)
      lock:close()
      dir:close()
    end
    assert.is_nil(store:job_holder("j"))
    assert.is_true(store:claim_job("j", "e1"))
    assert.is_true(store:claim_job("j", "e1"))
    assert.same({ false, "e1" }, { store:claim_job("j", "e2") })
    store:release_job("j", "e2")
    assert.equal("e1", store:job_holder("j"))
    store:discard("e1") -- a holder that is gone holds nothing
    assert.is_nil(store:job_holder("j"))
    assert.is_true(store:claim_job("j", "e2"))
    store:release_job("j", "e2")
    assert.is_nil(store:job_holder("j"))
  end))
end)

describe("what is left over", function()
  it("goes with a sweep, but not what a start is making", with_store(function(store)
    local dir, lock = store:create("e1", FILES)
    lock:close()
    dir:close()
    store.executions:mkdir(".new-dead")
    local making = store.executions:open(".new-live", true)
    local held = making:lock("lock")
    store:add_alias("dead", "gone")
    store:add_alias("live", "e1")
    store.trash:mkdir("x")
    store:sweep()
    local names = store.executions:list()
    table.sort(names)
    assert.same({ { ".new-live", "e1" }, { "live" }, {} },
      { names, store.aliases:list(), store.trash:list() })
    held:close()
    making:close()
  end))

  it("of failed starts is kept in number", with_store(function(store)
    for i = 1, 130 do store:keep_failed("f" .. i, "story " .. i) end
    assert.equal(100, #store.failed:list())
    assert.equal("story 130", store.failed:read("f130"))
  end))

  it("of an execution is out of sight at once", with_store(function(store)
    local dir, lock = store:create("e1", FILES)
    assert.is_true(store:discard("e1"))
    assert.is_true(store:discard("e1"))
    assert.same({ {}, {} }, { store:ids(), store.trash:list() })
    lock:close()
    dir:close()
  end))
end)
