--- A Docker engine for specs: its containers, by plain requests; and shims for them.

local async = require "exhost.async"
local build = require "exhost.build"
local channel = require "exhost.channel"
local command = require "support.command"
local dirs = require "exhost.dir"
local http = require "exhost.http_core"
local json = require "exhost.json"
local process = require "exhost.process_core"
local result = require "exhost.result"
local scratch = require "support.scratch"
local shim = require "exhost.shim"
local system = require "exhost.system"

local engine = {}

local running = {}
local API = "1.41"
local IMAGE = os.getenv("EXHOST_DOCKER_IMAGE") or "bb:1" -- a busybox

---@class spec.Engine
local Engine = {}
Engine.__index = Engine

--- An engine behind a socket.
function engine.at(socket)
  return setmetatable({ socket = socket, containers = {} }, Engine)
end

--- A request. Answers status and the decoded body. Suspends.
function Engine:call(method, path, body)
  local client = assert(http.open(self.socket))
  local answer = async.await(function(done)
    assert(client:send { method = method, path = "/v" .. API .. path,
      headers = { "Content-Type: application/json" }, body = body and json.encode(body),
      on_answer = function(a) done(a) end })
  end)
  async.sleep(0) -- not below the client's own callback
  client:close()
  local text = answer.body or ""
  return answer.status, text ~= "" and json.decode(text) or text
end

--- Make a container that runs a shell script. Answers its name.
function Engine:create(script, more)
  local name = "xh-spec-" .. system.random_hex(6)
  local body = { Image = IMAGE, Cmd = json.array { "/bin/sh", "-c", script },
    NetworkDisabled = true }
  for key, value in pairs(more or {}) do body[key] = value end
  local status, answer = self:call("POST", "/containers/create?name=" .. name, body)
  assert(status == 201, json.encode(answer))
  table.insert(self.containers, name)
  return name
end

function Engine:start(name)
  local status, answer = self:call("POST", "/containers/" .. name .. "/start")
  assert(status == 204, status .. " " .. (type(answer) == "table" and answer.message or ""))
end

function Engine:state(name)
  local _, answer = self:call("GET", "/containers/" .. name .. "/json")
  return answer.State
end

function Engine:remove_all()
  for _, name in ipairs(self.containers) do
    self:call("DELETE", "/containers/" .. name .. "?force=1")
  end
  self.containers = {}
end

--- The items for a container of this engine.
function Engine:items(name, more)
  local items = { { "execution", "x" }, { "engine", self.address or "unix:" .. self.socket },
    { "container", name }, { "api", self.api or API } }
  for _, item in ipairs(more or {}) do items[#items + 1] = item end
  return items
end

--- Start a shim for a container, its lines as they come. Suspends not.
---@return { lines: string[], channel: any, ended: integer[]? }
function engine.speak(dir, items)
  local self = { lines = {} }
  local memory = dirs.memory("spec", shim.encode(items))
  local other
  self.channel, other = channel.open(function(line) table.insert(self.lines, line or "end") end)
  self.process = assert(process.spawn { file = build.libexec .. "/exhost-shim",
    argv = { "exhost-shim", "1" },
    -- Sanitizers need their options.
    env = { "ASAN_OPTIONS=" .. (os.getenv("ASAN_OPTIONS") or "") },
    fds = { [3] = memory:number(), [4] = other, [5] = dir:fd(), [6] = dir:fd() },
    on_exit = function(...) self.ended = { ... } end })
  memory:close()
  system.close(other)
  running[#running + 1] = self
  return self
end

--- End the shims that a failed spec left.
function engine.end_shims()
  for _, speaking in ipairs(running) do
    if not speaking.ended then
      speaking.process:signal(9)
      scratch.wait_until(function() return speaking.ended end)
    end
    speaking.channel:close()
    speaking.process:release()
  end
  running = {}
end

--- Its next line is this one. Suspends.
function engine.expect(speaking, line)
  local got = scratch.wait_until(function() return speaking.lines[1] end)
  assert(got == line, "expected " .. line .. ", got " .. tostring(got))
  table.remove(speaking.lines, 1)
end

--- Hang up, wait for the shim's end, and read its exit file. Suspends.
---@return table<string, string>? exit nil if there is none
function engine.finish(speaking, dir)
  speaking.channel:close()
  assert(scratch.wait_until(function() return speaking.ended end), "the shim does not end")
  local text = dir:read("exit")
  return text and assert(result.parse_exit(text), text)
end

--- Attach, start, go. Answers who speaks. Suspends.
function Engine:run(dir, name, more)
  dir:mkfifo("control")
  local speaking = engine.speak(dir, self:items(name, more))
  engine.expect(speaking, "ready")
  self:start(name)
  speaking.channel:send("go")
  engine.expect(speaking, "started 0")
  return speaking
end

--- A Lua value as text, for the fake engine's options.
local function text_of(value)
  if type(value) ~= "table" then
    return type(value) == "string" and string.format("%q", value) or tostring(value)
  end
  local parts = {}
  for key, item in pairs(value) do
    parts[#parts + 1] = string.format("[%s]=%s", text_of(key), text_of(item))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- Start a fake engine (see fake_engine.lua). Suspends.
---@return spec.Engine engine with `process`, whose stdout lists the requests
function engine.fake(path, options)
  local socket = options.port and tostring(options.port) or path .. "/engine.sock"
  local process_ = command.start(command.program, { "exhost", "lua",
    "spec/support/fake_engine.lua", socket, text_of(options) })
  process_:wait_for("up\n")
  local self = engine.at(options.port and "127.0.0.1:" .. socket or socket)
  self.address = options.port and "tcp:127.0.0.1:" .. socket or nil
  self.process = process_
  return self
end

--- The requests so far, without the version and the container's name.
function Engine:requests()
  local list = {}
  for method, path in self.process:stdout():gmatch("(%u+) /v[%d.]+/containers/[^/]+(/%S+)") do
    list[#list + 1] = method .. " " .. path
  end
  return list
end

--- End the fake engine. Fails the spec where it was sent what fits no shape. Suspends.
function Engine:quit()
  self.process:signal(9)
  local wrong = self.process:wait().out:match("\n(shape: [^\n]*)")
  if wrong then error("the engine was sent what it does not take: " .. wrong, 2) end
end

return engine
