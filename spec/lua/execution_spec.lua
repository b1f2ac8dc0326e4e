local async = require "exhost.async"
local c = require "conformance.helper"
local execution = require "exhost.execution"
local json = require "exhost.json"
local loop = require "exhost.loop"
local observe = require "exhost.observe"
local state = require "exhost.state"

local STATES = { "absent", "creating", "abandoned", "starting", "running", "stopping", "paused",
  "exited", "lost", "concluded", "removed", "newer" }

--- An execution's folder as a host that died would leave it.
local function left(ex, id, record, files)
  local dir, lock = assert(ex.state:create(id, {}))
  record.backend, record.job_id = record.backend or "process", record.job_id or id
  if record.phase then state.write(dir, record) end
  for name, text in pairs(files or {}) do dir:write(name, text) end
  lock:close()
  dir:close()
end

local function state_of(ex, id)
  local view = assert(observe.look(ex.state, id))
  view:close()
  return view.state
end

local EXIT = "format=1\ncode=3\nstarted_at=2026-01-02T03:04:05.000000000Z\n"
  .. "finished_at=2026-01-02T03:04:06.000000000Z\nstdout_bytes=0\nstderr_bytes=0\n"
local NEVER = "format=1\nnever_ran=1\nfinished_at=2026-01-02T03:04:06.000000000Z\n"

describe("the table of an execution", function()
  it("has an action for every event in every state", function()
    for _, name in ipairs(STATES) do
      for _, event in ipairs(execution.EVENTS) do
        assert.is_function(execution.ACTIONS[name][event], name .. "." .. event)
      end
    end
    for name in pairs(execution.ACTIONS) do
      local known = false
      for _, other in ipairs(STATES) do known = known or other == name end
      assert.is_true(known, name)
    end
  end)

  it("has no event that nobody sends", function()
    local known = {}
    for _, event in ipairs(execution.EVENTS) do known[event] = true end
    for name, row in pairs(execution.ACTIONS) do
      for event in pairs(row) do assert.is_true(known[event], name .. "." .. event) end
    end
  end)
end)

describe("a start that fails", function()
  it("says what could not be undone, and does not lose sight of it", c.with(function(ex)
    local request, backend = c.request { "/no/such/program" }, assert(ex:backend())
    local id, remove, tries = request.execution_id, backend.remove, 0
    function backend.remove()
      tries = tries + 1
      return nil, "it is stuck", "io"
    end
    local _, err, code = ex:start(request)
    assert.matches("/no/such/program.*; what was made for it is left behind: it is stuck$", err)
    assert.equal("engine", code)
    assert.equal("abandoned", state_of(ex, id))
    local story = assert(ex:why(id)) -- which tries again, as every look does
    assert.same({ "left_behind", 2 }, { story[#story].event, tries })
    request.engine_spec.params.cmd = { "true" }
    _, err = ex:start(request)
    assert.matches("what was made for it is left behind: it is stuck$", err)
    assert.equal(3, tries)
    assert.equal(id, assert(ex:list { all = true })[1].execution_id)
    backend.remove = remove
    assert.equal(0, ex:run(request).exit_code)
  end))
end)

describe("a backend that raises", function()
  it("leaves no lock behind, which would last until the collector came", c.with(function(ex)
    local backend = assert(ex:backend())
    local remove, conclude, source = backend.remove, backend.conclude, backend.source
    local function raise() error("a mistake") end
    collectgarbage("stop")
    local ok, err = pcall(function()
      left(ex, "ended", { phase = "running", handle = "none" }, { exit = EXIT })
      backend.conclude = raise
      local fine, why = pcall(ex.wait, ex, "ended")
      assert.is_false(fine)
      assert.matches("a mistake\nstack traceback:", why)
      backend.conclude = conclude
      assert.equal(3, assert(ex:wait("ended", 5)).exit_code)
      backend.remove = raise
      assert.is_false(pcall(ex.remove, ex, "ended"))
      backend.remove = remove
      assert(async.with_deadline(5, ex.remove, ex, "ended"))
      local asked = c.request { "true" }
      backend.source = raise
      assert.is_false(pcall(ex.start, ex, asked))
      assert.equal("abandoned", state_of(ex, asked.execution_id))
      backend.source = source
      assert.equal(0, assert(async.with_deadline(5, ex.run, ex, asked)).exit_code)
    end)
    collectgarbage("restart")
    backend.remove, backend.conclude, backend.source = remove, conclude, source
    assert(ok, err)
  end))
end)

describe("an execution whose host died", function()
  it("before anything ran is rolled back, and its id is free", c.with(function(ex)
    local request = c.request(c.sh("exit 5"))
    local id = request.execution_id
    for phase, files in pairs { creating = {}, starting = { exit = NEVER } } do
      for _, event in ipairs { "status", "wait", "cancel", "remove" } do
        left(ex, id, { phase = phase, job_id = request.job_id }, files)
        ex.state:claim_job(request.job_id, id)
        assert.equal(phase == "creating" and "abandoned" or "exited", state_of(ex, id))
        local _, _, code = ex[event](ex, id)
        assert.equal("not_found", code, phase .. " " .. event)
        assert.equal("absent", state_of(ex, id))
        assert.equal("not_found", select(3, ex:find(request.job_id)))
      end
    end
    assert.equal("rolled_back", ex:why(id)[1].event)
    left(ex, id, { phase = "creating" })
    assert.equal(5, ex:run(request).exit_code)
  end))

  it("after it ended gets its result from what the shim wrote", c.with(function(ex)
    for _, phase in ipairs { "starting", "running", "paused" } do
      local id = c.id()
      left(ex, id, { phase = phase }, { exit = EXIT })
      assert.equal("exited", state_of(ex, id))
      local result = assert(ex:wait(id))
      assert.same({ 3, "exited", "2026-01-02T03:04:05.000000000Z" },
        { result.exit_code, result.reason, result.started_at })
      assert.equal("concluded", state_of(ex, id))
      assert.equal("failed", ex:status(id))
    end
  end))

  it("with its shim is lost, never successful, and stays so", c.with(function(ex)
    for _, phase in ipairs { "starting", "running", "paused" } do
      local id = c.id()
      left(ex, id, { phase = phase })
      assert.equal("lost", state_of(ex, id))
      assert.equal("failed", ex:status(id))
      local result = assert(ex:wait(id))
      assert.same({ "lost" }, { result.reason, result.exit_code })
      assert.equal("already_completed", select(3, ex:cancel(id)))
      assert.same({ "lost" }, { ex:wait(id).reason })
    end
  end))

  it("leaves nothing that keeps an executor from working", c.with(function(ex)
    for _, text in ipairs { "", "{", "[]", "\0\0" } do
      local id = c.id()
      left(ex, id, {}, { ["state.json"] = text })
      assert.equal("lost", ex:wait(id).reason)
      local torn = c.id()
      left(ex, torn, { phase = "running" }, { exit = EXIT, ["result.json"] = text })
      assert.equal("lost", ex:wait(torn).reason)
    end
    assert.equal(8, #ex:list())
    assert.is_true(ex:recover())
    assert.equal(8, #ex:list())
  end))
end)

describe("an execution of a newer exhost", function()
  it("is left as it is, and every call says why", c.with(function(ex)
    local id, text = c.id(), '{"format":2,"phase":"running"}'
    left(ex, id, {}, { ["state.json"] = text })
    for _, event in ipairs { "status", "wait", "cancel", "remove", "pause", "resume", "stats" } do
      local value, err, code = ex[event](ex, id)
      assert.same({ "nil", "unsupported" }, { type(value), code })
      assert.matches("has format 2, this exhost reads 1: use the newer one", err)
    end
    local dir = ex.state:open_execution(id)
    assert.equal(text, dir:read("state.json"))
    dir:close()
    assert.is_true(ex:recover())
    ex.state:discard(id)
  end))
end)

describe("a concluded execution", function()
  local function concluded(ex, expires_at)
    local id = c.id()
    left(ex, id, { phase = "running" }, { exit = EXIT, ["result.json"] = json.encode {
      exit_code = 3, reason = "exited", expires_at = expires_at } })
    return id
  end

  it("is kept until it expires, then a start may have its id", c.with(function(ex)
    local request = c.request(c.sh("exit 6"))
    local id = concluded(ex, loop.time() + 100)
    request.execution_id = id
    assert.is_true(ex:recover())
    assert.equal("already_completed", select(3, ex:start(request)))
    ex.state:discard(id)
    id = concluded(ex, loop.time() - 1)
    request.execution_id = id
    assert.equal(6, assert(ex:run(request)).exit_code)
    local other = concluded(ex, loop.time() - 1)
    assert.is_true(ex:recover())
    assert.equal("absent", state_of(ex, other))
  end))

  it("removed gives its result on, and is not listed", c.with(function(ex)
    local id = concluded(ex, loop.time() + 100)
    assert.is_true(ex:remove(id))
    assert.equal("removed", state_of(ex, id))
    assert.is_true(ex:remove(id))
    assert.equal(3, ex:wait(id).exit_code)
    assert.same({ {}, 1 }, { ex:list(), #ex:list { all = true } })
    assert.is_true(ex:remove(id, nil, { purge = true }))
    assert.equal("not_found", select(3, ex:remove(id)))
  end))

  it("is listed with what its whole files say, read in part or not", c.with(function(ex)
    local results = { { exit_code = 0, reason = "exited", finished_at = "2026-01-02T03:04:05Z" },
      { exit_code = 0, reason = "exited", killed = true }, { reason = "lost" }, {},
      { exit_code = 137, reason = "si\"gn", evidence = { reason = "inner" } },
      { exit_code = 1, error_msg = ("x"):rep(20000) } }
    local texts = { "", "{", "[]", '{"exit_code":"x"', '{"reason":{}}' }
    for _, r in ipairs(results) do texts[#texts + 1] = json.encode(r) end
    for _, text in ipairs(texts) do
      for _, phase in ipairs { "running", "removed", "newer", "torn" } do
        local id, record = c.id(), { phase = phase, backend = "process", job_id = "j",
          created_at = "2026-01-02T03:04:04Z", started_at = "2026-01-02T03:04:04.5Z" }
        local files = { exit = EXIT, ["result.json"] = text }
        if phase == "newer" then files["state.json"] = '{"format":2,"phase":"running"}' end
        if phase == "torn" then files["state.json"] = "{" end
        left(ex, id, record, files)
      end
    end
    for _, options in ipairs { {}, { all = true } } do
      local quick = ex:list(options)
      ex.state.summary = function() return nil end
      assert.same(ex:list(options), quick)
      assert.is_true(#quick > 10)
      ex.state.summary = nil
    end
  end))

  it("has nothing to pause or signal", c.with(function(ex)
    local id = concluded(ex)
    for _, verb in ipairs { "pause", "resume", "stats" } do
      assert.equal("already_completed", select(3, ex[verb](ex, id)))
    end
    assert.equal("already_completed", select(3, ex:signal(id, "TERM")))
    assert.equal("already_completed", select(3, ex:cancel(id)))
  end))
end)

describe("two hosts on one folder", function()
  it("see the same, and each may end what the other began", c.with(function(ex)
    local other = c.open { state_dir = ex.state.path }
    local request = c.request(c.sh("echo up; sleep 60"))
    local id = request.execution_id
    assert(ex:start(request))
    assert.equal("running", other:status(id))
    assert.equal("already_started", select(3, other:start(request)))
    assert.is_true(other:cancel(id, { signal = "KILL" }))
    assert.same({ "cancelled", "cancelled" }, { ex:wait(id).reason, other:wait(id).reason })
    assert.is_true(other:remove(id))
    assert.equal("removed", state_of(ex, id))
    other:close()
  end))
end)
