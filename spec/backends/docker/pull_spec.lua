--- Images from a registry that wants a password, in the engine's network: `spec/support/engine
--- registry`.

local async = require "exhost.async"
local base64 = require "exhost.base64"
local cli = require "support.cli"
local command = require "support.command"
local docker = require "support.docker"
local fs = require "exhost.fs"
local json = require "exhost.json"
local loop = require "exhost.loop"
local scratch = require "support.scratch"
local terminal = require "support.terminal"

local folder = docker.folder and docker.folder .. "/registry"
local HOST = "127.0.0.1:15000"
local IMAGE, USER, PASSWORD = HOST .. "/ta/bb:1", "user", "pa:ss+/word"
local STOP, CONT = "STOP", "CONT"

--- Stop and continue the registry: stopped, its kernel still takes connections.
local function registry(signal)
  os.execute(string.format("kill -%s %s", signal, fs.line(folder .. "/pid")))
end

--- How often the image was asked for.
local function asked_for()
  local _, n = fs.read(folder .. "/log"):gsub('"GET /v2/ta/bb/blobs/', "")
  return n
end

local function forget(engine)
  local found = engine:call("GET", "/images/json", { query = { all = "1" } })
  for _, image in ipairs(found or {}) do
    local names = table.concat(image.RepoTags or {}, " ") .. table.concat(image.RepoDigests or {})
    if names:find(HOST, 1, true) then
      engine:call("DELETE", "/images/" .. image.Id, { query = { force = "1" } })
    end
  end
end

--- The body on an engine that has nothing of the registry, with a client of it.
local function with(body, settings)
  return docker.with(function(ex, path)
    if not folder then return pending "EXHOST_DOCKER_ENGINE is not set" end
    local engine = docker.api()
    forget(engine)
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, ex, engine, path)
    registry(CONT)
    ex:cleanup()
    forget(engine)
    engine:close()
    if not ok then error(err, 0) end
  end, settings)
end

local function job(params)
  local all = { image = IMAGE, username = USER, password = PASSWORD, entrypoint = { "true" } }
  for key, value in pairs(params or {}) do all[key] = value or nil end
  return docker.request({}, all)
end

local function pulls_of(ex, id)
  local found = {}
  for _, event in ipairs(assert(ex:why(id))) do
    if event.event == "pull" then found[#found + 1] = event end
  end
  return found
end

describe("docker: an image", function()
  it("is pulled when it is missing, and only then; the story tells of it", with(function(ex)
    local first, second = job(), job()
    assert.equal(0, assert(ex:run(first)).exit_code)
    local events = pulls_of(ex, first.execution_id)
    local last = events[#events]
    assert.equal("pulled", last.status)
    assert.matches("^sha256:%x+$", last.digest)
    assert.is_true(#events > 1)
    local before = asked_for()
    assert.equal(0, assert(ex:run(second)).exit_code)
    assert.same({}, pulls_of(ex, second.execution_id))
    assert.equal(before, asked_for())
  end))

  it("is pulled with credentials that the request has for a registry", with(function(ex)
    local asked = job { username = false, password = false,
      registry_auth = { username = USER, password = PASSWORD, serveraddress = HOST } }
    assert.equal(0, assert(ex:run(asked)).exit_code)
    local info = assert(json.encode(assert(ex:info(asked.execution_id))))
    assert.truthy(info:find(HOST, 1, true))
    assert.is_nil(info:find("word", 1, true)) -- the end of the password
  end))

  it("is not pulled with wrong ones, and that is told without them", with(function(ex)
    local asked = job { username = false, password = false,
      registry_auth = { username = USER, password = "hush-hush", serveraddress = HOST } }
    local _, err = ex:start(asked)
    assert.matches("unauthorized", err)
    assert.is_nil(err:find("hush", 1, true))
    assert.is_nil(json.encode(assert(ex:why(asked.execution_id))):find("hush", 1, true))
  end))

  it("is never pulled when that is off", with(function(ex)
    local asked = job()
    local _, err, code = ex:start(asked)
    assert.equal("engine", code)
    assert.matches('no such image.*image_pull = "missing"', err)
    assert.same({}, pulls_of(ex, asked.execution_id))
  end, { image_pull = "never" }))

  it("that somebody removes after it was planned with is pulled again", with(function(ex, engine)
    assert(ex:run(job()))
    assert(ex:cleanup())
    local backend = assert(ex:backend())
    local create = backend.create
    backend.create = function(...)
      forget(engine)
      return create(...)
    end
    local asked = job { entrypoint = { "echo", "here" } }
    local result = assert(ex:run(asked))
    assert.equal("here\n", result.stdout)
    assert.matches("^sha256:", result.evidence.image)
    local events = pulls_of(ex, asked.execution_id)
    assert.equal("pulled", events[#events].status)
  end))

  it("is asked for each time when that is wanted", with(function(ex)
    for _ = 1, 2 do
      local asked = job()
      assert.equal(0, assert(ex:run(asked)).exit_code)
      assert.is_true(#pulls_of(ex, asked.execution_id) > 0)
    end
  end, { image_pull = "always" }))

  it("can be pinned by its digest, also beside a tag", with(function(ex, engine)
    local first = job()
    assert(ex:run(first))
    local events = pulls_of(ex, first.execution_id)
    local digest = events[#events].digest
    for _, name in ipairs { HOST .. "/ta/bb@" .. digest, IMAGE .. "@" .. digest } do
      assert(ex:cleanup())
      forget(engine)
      assert.equal(0, assert(ex:run(job { image = name })).exit_code)
    end
  end))

  local REFUSED = {
    { "a wrong password", { password = "wrong-secret" }, "unauthorized" },
    { "no credentials", { username = false, password = false }, "no basic auth" },
    { "a tag that is not there", { image = HOST .. "/ta/bb:none" }, "manifest unknown" },
    { "a registry that is not there", { image = "127.0.0.1:15999/ta/bb:1" }, "connection refused" },
    { "a digest that is not there", { image = HOST .. "/ta/bb@sha256:" .. ("0"):rep(64) },
      "manifest unknown" },
  }
  for _, case in ipairs(REFUSED) do
    it("is refused with the engine's words, and leaves nothing: " .. case[1],
      with(function(ex, _, path)
        local asked = job(case[2])
        local _, err, code = ex:start(asked)
        assert.equal("engine", code)
        assert.matches("pull 127", err)
        assert.is_truthy(err:find(case[3], 1, true), err)
        assert.same({}, docker.containers(ex))
        local secret = case[2].password or PASSWORD
        assert.is_nil(err:find(secret, 1, true))
        assert.equal(1, (os.execute(string.format("grep -rqF '%s' %s", secret, path)) / 256))
        asked.engine_spec.params = job().engine_spec.params
        assert.equal(0, assert(ex:run(asked)).exit_code)
      end))
  end

  it("of another platform than asked for is an error, whatever the engine says of it",
    with(function(ex)
      local _, err, code = ex:start(job { platform = "linux/arm64" })
      assert.equal("engine", code)
      assert.matches("linux/a[mr][dm]64", err)
      assert.equal(0, assert(ex:run(job { platform = "linux/amd64" })).exit_code)
      _, err = ex:start(job { platform = "linux/arm64" })
      assert.matches("linux/a[mr][dm]64", err)
    end))

  it("is pulled once for all who wait", with(function(ex)
    registry(STOP) -- until all of them wait
    local before, tasks = asked_for(), {}
    local jobs = { job(), job(), job(), job() }
    for i, asked in ipairs(jobs) do
      tasks[i] = async.spawn(function() return ex:run(asked) end)
    end
    assert(scratch.wait_until(function() return #ex:list() == #jobs end))
    registry(CONT)
    for i, asked in ipairs(jobs) do
      assert.equal(0, assert(async.join(tasks[i])).exit_code)
      assert.equal("pulled", pulls_of(ex, asked.execution_id)[1] and
        pulls_of(ex, asked.execution_id)[#pulls_of(ex, asked.execution_id)].status)
    end
    -- Its configuration and its one layer.
    assert.equal(before + 2, asked_for())
  end))

  it("of a registry that stalls is given up, and the id can be used again", with(function(ex)
    registry(STOP)
    local asked, before = job(), loop.now()
    local _, err, code = ex:start(asked)
    assert.equal("timeout", code)
    assert.matches("nothing was heard for 1 s.*pull_silence", err)
    assert.is_true(loop.now() - before >= 1)
    registry(CONT)
    assert.equal(0, assert(ex:run(asked)).exit_code)
  end, { backends = { docker = { pull_silence = 1 } } }))

  it("has a limit for all of it", with(function(ex)
    registry(STOP)
    local _, err, code = ex:start(job())
    assert.equal("timeout", code)
    assert.matches("longer than 0.5 s.*pull_timeout", err)
  end, { backends = { docker = { pull_timeout = 0.5 } } }))

  it("is not waited for once the execution is cancelled", with(function(ex)
    registry(STOP)
    local asked = job()
    local task = async.spawn(function() return ex:start(asked) end)
    assert(scratch.wait_until(function() return ex:status(asked.execution_id) end))
    ex:cancel(asked.execution_id)
    local _, _, code = async.join(task)
    assert.equal("cancelled", code)
  end))
end)

--- The command on the engine, with a configuration of the docker command's own.
local function with_config(content, body)
  return with(function(_, _, path)
    local dir = path .. "/docker"
    os.execute("mkdir " .. dir)
    local file = assert(io.open(dir .. "/config.json", "w"))
    file:write(json.encode(content))
    file:close()
    local run = cli.at(path, { DOCKER_CONFIG = dir, DOCKER_HOST = "unix://" .. docker.socket,
      PATH = dir .. ":" .. os.getenv("PATH") })
    body(function(more)
      return run:run { "run", "-b", "docker", "--rm", "--image", IMAGE, unpack(more or { "true" }) }
    end, dir, path)
    run:run { "cleanup", "-b", "docker" }
  end)
end

local function helper(dir, script)
  local path = dir .. "/docker-credential-spec"
  local file = assert(io.open(path, "w"))
  file:write("#!/bin/sh\n" .. script)
  file:close()
  os.execute("chmod 755 " .. path)
end

describe("docker: a pull", function()
  local AUTH = base64.encode(USER .. ":" .. PASSWORD)
  local CONFIG = { auths = { [HOST] = { auth = AUTH } } }

  it("is told in lines as it goes", with_config(CONFIG, function(run)
    local ran = run()
    assert.equal(0, ran.code, ran.err)
    assert.matches("^exhost: pull: [^\n]+\n.*exhost: pulled sha256:%x+\n$", ran.err)
    assert.equal("", run().err) -- it is here now
  end))

  it("is a bar on a terminal, which is gone at the end", with_config(CONFIG, function(_, _, path)
    if not terminal.available() then return pending "no tmux" end
    registry(STOP)
    local t = terminal.open(path, string.format("EXHOST_STATE_DIR=%s/state DOCKER_CONFIG=%s/docker "
      .. "DOCKER_HOST=unix://%s %s run -b docker --rm --image %s echo done", path, path,
      docker.socket, command.program, IMAGE), 100, 12)
    local ok, err = xpcall(function()
      registry(CONT)
      local screen = t:wait("\nended 0$")
      assert.matches("exhost: pulled sha256:%x+", screen)
      assert.is_nil(screen:find("pull [", 1, true), screen)
    end, function(e) return type(e) == "table" and e or debug.traceback(e, 2) end)
    t:close()
    if not ok then error(err, 0) end
  end))
end)

describe("docker: credentials", function()
  local AUTH = base64.encode(USER .. ":" .. PASSWORD)

  it("lie in the docker command's configuration", with_config({ auths = {
    ["http://" .. HOST .. "/v1/"] = { auth = AUTH } } }, function(run)
    local ran = run()
    assert.equal(0, ran.code, ran.err)
  end))

  it("come from a credential helper, which gets the server on its stdin",
    with_config({ credHelpers = { [HOST] = "spec" } }, function(run, dir)
      helper(dir, string.format([[
        read server && [ "$1 $server" = "get %s" ] && [ -n "$DOCKER_CONFIG" ] || exit 9
        echo '{"ServerURL":"%s","Username":"%s","Secret":"%s"}']], HOST, HOST, USER, PASSWORD))
      local ran = run()
      assert.equal(0, ran.code, ran.err)
    end))

  it("of a helper that has none are those of the file", with_config({ credsStore = "spec",
    auths = { [HOST] = { auth = AUTH } } }, function(run, dir)
    helper(dir, "echo credentials not found in native keychain; exit 1")
    local ran = run()
    assert.equal(0, ran.code, ran.err)
  end))

  it("of a helper that fails are missing, and that is told", with_config({ credsStore = "spec" },
    function(run, dir)
      helper(dir, "echo the vault is shut; exit 3")
      local ran = run()
      assert.equal(125, ran.code)
      assert.matches("no basic auth.*docker%-credential%-spec: exit status 3 %(the vault is shut%)",
        ran.err)
      os.remove(dir .. "/docker-credential-spec")
      assert.matches("docker%-credential%-spec: not found in $PATH", run().err)
    end))

  it("never come by way of a shell", with_config({ credsStore = "x; touch $DOCKER_CONFIG/pwned" },
    function(run, dir)
      assert.matches("not a name", run().err)
      assert.is_nil(fs.read(dir .. "/pwned"))
    end))

  it("of a helper that hangs are not waited for", with_config({ credsStore = "spec" },
    function(run, dir, path)
      helper(dir, "exec sleep 600")
      local file = assert(io.open(path .. "/config.lua", "w"))
      file:write "return { backends = { docker = { helper_timeout = 0.5 } } }"
      file:close()
      local ran = run { "--config", path .. "/config.lua", "true" }
      assert.matches("docker%-credential%-spec: timeout", ran.err)
    end))
end)
