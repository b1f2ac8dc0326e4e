--- What the conformance specs share: a fresh state folder, requests for the backend under
-- test, and the task that runs them.
--
-- A backend's folder may hold conformance.lua: { request = function(argv, id) … } answers
-- the request that runs argv on it. Without it: engine_spec.params.cmd = argv.

local subject = package.loaded["exhost.conformance"] or { name = "process" }
local assert = require "luassert"
local async = require "exhost.async"
local executor = require "exhost.executor"
local loop = require "exhost.loop"
local system = require "exhost.system"
local task = require((...):gsub("helper$", "task"))

local helper = { name = subject.name, root = subject.root }

local function own_parts()
  local path = (subject.root or "") .. "/backends/" .. subject.name .. "/conformance.lua"
  local chunk = subject.root and loadfile(path)
  return chunk and chunk() or {}
end

local parts = own_parts()

--- The job is the first process of a namespace: the kernel gives it no default actions, so
--- a signal that it does not catch does nothing.
helper.is_init = parts.is_init
local count = 0

--- An id that nothing else uses.
function helper.id()
  count = count + 1
  return string.format("c%d-%s", count, system.random_hex(4))
end

--- A request that runs argv.
---@param argv string[]
---@param more table? fields to add
function helper.request(argv, more)
  local id = helper.id()
  local request = parts.request and parts.request(argv, id)
    or { job_id = id, execution_id = id,
      engine_spec = { type = subject.name, params = { cmd = argv } } }
  for key, value in pairs(more or {}) do request[key] = value end
  return request
end

--- A shell script as argv.
function helper.sh(script)
  return { "/bin/sh", "-c", script }
end

function helper.state_dir()
  return "/tmp/exhost-spec-" .. system.random_hex(6)
end

local function remove_state(path)
  local parent = require("exhost.dir").open("/tmp")
  parent:remove_tree(path:match("[^/]+$"))
  parent:close()
end

--- Open an executor on a state folder (a fresh one when none is given).
function helper.open(options)
  options = options or {}
  local ex = assert(executor.open {
    id = options.id or "spec", state_dir = options.state_dir or helper.state_dir(),
    backend = subject.name, lua_path = subject.root,
    settings = options.settings or { stop_grace = 1 },
  })
  return ex
end

--- A spec body with an executor of its own, cleaned up after it.
function helper.with(body, options)
  return task(function()
    local ex = helper.open(options)
    local path = ex.state.path
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, ex)
    local clean, why = ex:cleanup()
    ex:close()
    remove_state(path)
    if not ok then error(err, 0) end
    assert(clean, why)
  end)
end

--- Everything that comes out of a stream, read as it arrives. Suspends.
function helper.read(stream, seconds)
  local fd = stream:take()
  local ends, parts_read = loop.now() + (seconds or 10), {}
  while true do
    local bytes, err = system.read_some(fd)
    if bytes == "" then break end
    if bytes then
      parts_read[#parts_read + 1] = bytes
    elseif not err:find("^EAGAIN") or loop.now() > ends then
      break
    else
      async.sleep(0.002)
    end
  end
  system.close(fd)
  stream:close()
  return table.concat(parts_read)
end

--- Wait until the execution has written this. Suspends.
function helper.wait_for_output(ex, id, text)
  local stream = assert(ex:get_log_stream(id, { follow = true }))
  local got, ends = "", loop.now() + 10
  repeat
    local bytes = system.read_some(stream.fd)
    if bytes then got = got .. bytes else async.sleep(0.002) end
  until got:find(text, 1, true) or loop.now() > ends
  stream:close()
  assert(got:find(text, 1, true), "the workload did not write " .. text)
end

--- A spec's body for a verb that not every backend has; else it must say so. `start` is
--- the request to begin with.
function helper.verb(verb, script, body, options)
  return helper.with(function(ex)
    local request = helper.request(helper.sh(script))
    assert(ex:start(request))
    local capabilities = assert(ex:backend()).capabilities
    if not capabilities[verb] then
      local arguments = { signal = "USR1", exec = { "true" }, update = { pids = 10 } }
      local _, err, code = ex[verb](ex, request.execution_id, arguments[verb])
      assert.equal("unsupported", code)
      assert.matches(verb .. " is not supported", err)
      return
    end
    body(ex, request.execution_id)
  end, options)
end

helper.task = task

return helper
