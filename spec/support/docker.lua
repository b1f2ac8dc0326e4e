--- Docker jobs for specs, on a real engine: EXHOST_DOCKER_SOCKET names its socket, which has
-- the image bb:1, a busybox. Where `spec/support/engine` started it, with a registry,
-- EXHOST_DOCKER_ENGINE names its folder, and specs may stop it and start it again.

local client = require "backends.docker.client"
local command = require "support.command"
local executor = require "exhost.executor"
local scratch = require "support.scratch"
local system = require "exhost.system"
local versions = require "support.docker_versions"

local docker = {}

docker.socket = os.getenv("EXHOST_DOCKER_SOCKET")
docker.folder = os.getenv("EXHOST_DOCKER_ENGINE")

--- A request with ids of its own.
---@param fields table? of the request
---@param params table? of its engine
function docker.request(fields, params)
  local id = "e-" .. system.random_hex(6)
  local made = { job_id = id, execution_id = id, stop_grace = 1,
    engine_spec = { type = "docker", params = { image = "bb:1" } } }
  for key, value in pairs(fields or {}) do made[key] = value end
  for key, value in pairs(params or {}) do made.engine_spec.params[key] = value end
  return made
end

--- One that runs a shell script.
function docker.sh(script, fields, params)
  params = params or {}
  params.entrypoint = { "/bin/sh", "-c", script }
  return docker.request(fields, params)
end

--- Open an executor on the engine, in a state folder. Its id is made up unless given.
function docker.open(path, settings, id)
  local own = { backends = { docker = { host = docker.socket } } }
  for key, value in pairs(settings or {}) do own[key] = value end
  return assert(executor.open { id = id or "spec-" .. system.random_hex(4),
    state_dir = path .. "/state", backend = "docker", settings = own })
end

--- A folder that the engine sees under the same name: one in a tree sees no other.
local function shared(path)
  local place = (docker.folder or path) .. "/shared-" .. system.random_hex(4)
  assert(os.execute("mkdir -m 755 " .. place) == 0)
  return place
end

--- A spec's body with an executor on the engine, a folder, and one for mounts; everything of the
--- executor is removed afterwards.
---@param body fun(ex, path: string, shared: string)
---@param settings table?
function docker.with(body, settings)
  return scratch.with(function(_, path)
    if not docker.socket then -- `pending` is the spec file's own
      return getfenv(body).pending "EXHOST_DOCKER_SOCKET is not set"
    end
    local ex, mounts = docker.open(path, settings), shared(path)
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, ex, path, mounts)
    local clean, why = ex:cleanup()
    ex:close()
    os.execute("rm -rf " .. mounts)
    if not ok then error(err, 0) end
    assert(clean, why)
  end)
end

--- Stop, kill or start the engine: `spec/support/engine VERB FOLDER …`. Suspends.
function docker.engine(verb, ...)
  local ran = command.run("spec/support/engine", { "engine", verb, docker.folder, ... })
  assert(ran.code == 0, ran.err)
end

--- What this engine does differently from others: support/docker_versions.lua. Suspends.
function docker.differences()
  local engine = docker.api()
  assert(engine:negotiate())
  engine:close()
  return versions.of(engine.version)
end

--- A client of the engine; close() it.
function docker.api()
  return assert(client.open(docker.socket))
end

--- The containers of an executor, as the engine lists them. Suspends.
function docker.containers(ex)
  local backend = assert(ex:backend())
  return assert(backend:list())
end

return docker
