--- State that is not as exhost left it: in wrong hands, torn, or of a newer version.

local assert = require "luassert"
local command = require "support.command"
local executor = require "exhost.executor"
local files = require "crash.files"
local json = require "exhost.json"
local system = require "exhost.system"
local world = require "crash.world"

local IS_ROOT = system.ids() == 0

--- Run a shell script with $D as the world's folder.
local function sh(w, script)
  local ran = command.run("/bin/sh", { "sh", "-ec", script }, { env = { D = w.path } })
  assert(ran.code == 0, ran.err)
  return ran.out
end

local function open(w)
  return executor.open { id = "spec", state_dir = w.path }
end

describe("a state folder", function()
  for _, folder in ipairs { "", "/spec", "/spec/executions", "/spec/jobs", "/spec/trash" } do
    it("open to others is refused: $D" .. folder, world.with(function(w)
      w:open():close()
      sh(w, "chmod 755 $D" .. folder)
      local ex, err, code = open(w)
      assert.same({ nil, "denied" }, { ex, code })
      assert(err:find("chmod 700 " .. w.path .. folder, 1, true), err)
    end))

    it("of somebody else is refused: $D" .. folder, function()
      if not IS_ROOT then return pending "only root can give folders away" end
      world.with(function(w)
        w:open():close()
        sh(w, "chown 12345 $D" .. folder)
        local ex, _, code = open(w)
        assert.same({ nil, "denied" }, { ex, code })
      end)()
    end)
  end

  it("below which a symlink lies is refused", world.with(function(w)
    sh(w, "ln -s /tmp $D/spec")
    local ex, err, code = open(w)
    assert.same({ nil, "io" }, { ex, code })
    assert.matches("/spec: ENOTDIR", err)
  end))

  it("shows nothing to others, whatever the umask is (C25b)", world.with(function(w)
    local request = w:request("exit 0")
    table.insert(request.engine_spec.params.environment, "SECRET=x")
    local config = json.encode { state_dir = w.path, verbs = { { "run", request } } }
    local ran = command.sh("umask 0; exec $exhost lua spec/crash/host.lua '"
      .. config:gsub("'", "'\\''") .. "'")
    assert(ran.out:find "run true exited", ran.out .. ran.err)
    assert.equal("", sh(w, "find $D ! -type l -perm /077"))
  end))

  it("90 bytes deep takes ids of 100 characters (C15b)", world.with(function(w)
    w.path = w.path .. "/" .. ("d"):rep(89 - #w.path)
    local ex = w:open()
    local id = w.id .. ("x"):rep(100 - #w.id)
    local result = assert(ex:run(w:request("exit 0", { execution_id = id })))
    assert.equal(0, result.exit_code)
    assert(ex:remove(id, 1, { purge = true }))
    ex:close()
    w.path = w.path:match("^(.*)/")
  end))

  it("is swept of what writers did not live to put into place", world.with(function(w)
    local ex = w:open()
    for _, folder in ipairs { "jobs", "aliases", "failed" } do
      sh(w, "touch -d '1 hour ago' $D/spec/" .. folder .. "/.tmp-1-2-3")
      sh(w, "touch $D/spec/" .. folder .. "/.tmp-fresh")
    end
    sh(w, "mkdir $D/spec/executions/.new-1; echo gone > $D/spec/jobs/j")
    assert(ex:recover())
    assert.equal("", sh(w, "find $D -name '.tmp-1*' -o -name '.new-*' -o -name j"))
    assert.equal("3\n", sh(w, "find $D -name .tmp-fresh | wc -l"))
    ex:close()
  end))

  it("with links in the place of executions and jobs is not left", world.with(function(w)
    local ex = w:open()
    sh(w, "mkdir -m 700 $D/else; echo secret > $D/else/state.json")
    sh(w, "ln -s $D/else $D/spec/executions/" .. w.id)
    sh(w, "ln -s $D/else/state.json $D/spec/jobs/" .. w.id .. "-job")
    assert(ex:recover())
    assert.same({}, ex:list())
    assert.is_nil((ex:start(w:request("exit 0"))))
    assert.equal(0, w:run_count())
    sh(w, "rm $D/spec/executions/" .. w.id)
    assert.equal(0, assert(ex:run(w:request("exit 0"))).exit_code)
    assert(ex:remove(w.id, 1, { purge = true }))
    assert.equal("secret\n", sh(w, "cat $D/else/state.json"))
    ex:close()
  end))
end)

describe("an execution", function()
  it("whose lock file is gone can be removed", world.with(function(w)
    local ex = w:open()
    assert(ex:run(w:request("exit 0")))
    sh(w, "rm $D/spec/executions/*/lock")
    assert(ex:remove(w.id))
    assert(ex:remove(w.id, 1, { purge = true }))
    w:check_gone()
    ex:close()
  end))
end)

describe("a torn", function()
  local TORN = { empty = "", cut = '{"format":1,"ph', bytes = "\0\255\1", array = "[]",
    null = "null", number = "1" }

  --- Everything may be asked of it, and everything can be removed.
  local function check_torn(w, reasons)
    local ex = w:open()
    assert(ex:recover())
    assert.equal(1, #ex:list())
    local reason = assert(ex:wait(w.id, 10)).reason
    assert(reasons[reason], reason)
    assert(ex:info(w.id))
    assert(ex:why(w.id))
    local _, why, code = ex:start(w:request("exit 0"))
    assert.equal("already_completed", code, why)
    assert(ex:remove(w.id, 1))
    assert.equal("not_found", (select(3, ex:find(w.id .. "-job"))))
    assert(ex:remove(w.id, 1, { purge = true }))
    ex:close()
    w:check_gone()
  end

  for _, name in ipairs { "state.json", "request.json", "plan.json", "exit", "result.json",
    "events.jsonl", "log.idx", "cancel" } do
    for kind, content in pairs(TORN) do
      it(name .. " (" .. kind .. ") of what has ended", world.with(function(w)
        local ex = w:open()
        assert(ex:run(w:request("exit 0")))
        ex:close()
        files.write(w:folder() .. "/" .. name, content)
        check_torn(w, { [name == "result.json" and "lost" or "exited"] = true })
      end))
    end
  end

  for _, name in ipairs { "state.json", "request.json", "plan.json", "exit", "cancel" } do
    it(name .. " of what was running", world.with(function(w)
      local ex = w:open()
      assert(ex:start(w:request("sleep 0.05")))
      files.write(w:folder() .. "/" .. name, "")
      ex:close()
      check_torn(w, { exited = true, lost = true, cancelled = true })
    end))
  end
end)

describe("state of a newer format", function()
  it("is refused in clear words and left alone", world.with(function(w)
    local ex = w:open()
    assert(ex:run(w:request("exit 0")))
    local path = w:folder() .. "/state.json"
    local newer = files.read(path):gsub('"format":1', '"format":2')
    files.write(path, newer)
    assert(ex:recover())
    assert.same({}, ex:list())
    for _, verb in ipairs { "status", "wait", "cancel", "remove", "info" } do
      local value, err, code = ex[verb](ex, w.id)
      assert.same({ nil, "unsupported" }, { value, code })
      assert.matches("has format 2, this exhost reads 1: use the newer one", err)
    end
    local _, _, code = ex:start(w:request("exit 0"))
    assert.equal("unsupported", code)
    assert(ex:cleanup())
    assert.equal(newer, files.read(path))
    ex:close()
  end))
end)

describe("a wrong request", function()
  local WRONG = {
    { "unknown field", "invalid", more = { wrong = 1 } },
    { "bad id", "invalid", more = { execution_id = "../x" } },
    { "long id", "invalid", more = { execution_id = ("x"):rep(129) } },
    { "bad timeout", "invalid", more = { timeout = -1 } },
    { "bad script name", "invalid", more = { provision_scripts = { ["a/b"] = "eA==" } } },
    { "no such user (C25a)", "invalid", params = { user = "no-such-user" }, says = "no-such-user" },
    { "no command", "invalid", params = { cmd = {} } },
    { "NUL", "invalid", params = { cmd = { "a\0b" } } },
    { "no program", "engine", params = { cmd = { "/no/such" } }, says = "/no/such" },
    { "no folder", "engine", params = { working_directory = "/no/such" }, says = "/no/such" },
    { "inputs", "unsupported", more = { inputs = { { source = "/a", target = "/b" } } } },
  }
  for _, case in ipairs(WRONG) do
    it("leaves nothing: " .. case[1], world.with(function(w)
      local request = w:request("exit 0", case.more)
      for key, value in pairs(case.params or {}) do request.engine_spec.params[key] = value end
      local ex = w:open()
      local id, err, code = ex:start(request)
      assert.same({ nil, case[2] }, { id, code }, err)
      assert(not case.says or err:find(case.says, 1, true), err)
      w:check_gone()
      local failed = sh(w, "ls -A $D/spec/failed")
      assert.equal(code == "engine", failed ~= "")
      assert.equal(0, assert(ex:run(w:request("exit 0"))).exit_code)
      ex:close()
    end))
  end
end)
