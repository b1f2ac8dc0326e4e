--- A small engine with one container, run as a program of its own: it can cut its answers
-- anywhere, dribble, fail, die and come back. Usage: exhost lua FILE SOCKET|PORT OPTIONS.
--
-- Options (a Lua table's text): script (what the container does once started: steps of
-- { out = "…" }, { err = "…" }, { sleep = ms }, { exit = code }, { restart = code } for an end
-- after which the engine starts it again, { die = ms } for the engine's own death and how long
-- it is gone), state (fields of State to begin with), cut ({ attach = n } cuts that kind's first
-- answer after n bytes), status ({ wait = { 500, 500 } } answers so first),
-- raw ({ json = "…" } is all of that kind's first answer), wait_error (what /wait tells beside
-- the code), dribble (bytes a write), log (what
-- /logs answers instead of all that was put out), tty, deaf (ignores stops), tls (speaks
-- nothing else), unsaid (that a connection ends is not said before), api (the version that it says
-- to speak), many (so many containers instead of the
-- one, and more about them: fake_containers.lua).
-- What it has no answer for is not found. Requests go to stdout, a line each. What fits no shape
-- (shapes/docker.lua) is answered with 400 and told there too, in a line that begins with
-- "shape: ".

package.path = "./spec/?.lua;" .. package.path -- run by `exhost lua`, which knows no specs

local fake_containers = require "support.fake_containers"
local ffi = require "ffi"
local json = require "exhost.json"
local shapes = require "support.shapes.docker"
local shapes_check = require "support.shapes.check"

ffi.cdef [[
  typedef struct { int fd; short events, revents; } fake_pollfd;
  typedef struct { unsigned short family; char path[108]; } fake_address;
  int socket(int, int, int); int bind(int, const void *, unsigned); int listen(int, int);
  int accept4(int, void *, void *, int); int close(int);
  int setsockopt(int, int, int, const void *, unsigned);
  int unlink(const char *);
  long read(int, void *, size_t); long send(int, const void *, size_t, int);
  int poll(fake_pollfd *, unsigned long, int);
  typedef struct { long sec, nsec; } fake_time; int clock_gettime(int, fake_time *);
]]
local C = ffi.C
local NONBLOCK, NOSIGNAL, POLLIN, POLLOUT = 2048, 16384, 1, 4

local socket_path, text = ...
local options = assert(loadstring("return " .. text))()
local connections, listener = {}, -1
local container = { status = "created", code = 0, restarts = 0, history = {} }
local script, wake_at, gone_until = nil, nil, nil

for key, value in pairs(options.state or {}) do container[key] = value end
local many = options.many and fake_containers.new(options)

local function now()
  local t = ffi.new("fake_time")
  C.clock_gettime(1, t)
  return tonumber(t.sec) * 1000 + tonumber(t.nsec) / 1e6
end

local function open_listener()
  local port = tonumber(socket_path)
  local address = ffi.new("fake_address", port and 2 or 1)
  listener = C.socket(address.family, 1 + NONBLOCK, 0)
  if port then
    ffi.copy(address.path, string.char(math.floor(port / 256), port % 256, 127, 0, 0, 1))
    C.setsockopt(listener, 1, 2, ffi.new("int[1]", 1), 4)
  else
    C.unlink(socket_path)
    ffi.copy(address.path, socket_path)
  end
  assert(C.bind(listener, address, port and 16 or ffi.sizeof(address)) == 0, "bind")
  assert(C.listen(listener, 64) == 0, "listen")
end

local function frame(stream, bytes)
  if options.tty then return bytes end
  local n = #bytes
  return string.char(stream, 0, 0, 0, math.floor(n / 16777216) % 256, math.floor(n / 65536) % 256,
    math.floor(n / 256) % 256, n % 256) .. bytes
end

local function push(c, bytes)
  c.out = c.out .. bytes
end

local function head(c, status, fields)
  push(c, "HTTP/1.1 " .. status .. " X\r\nServer: fake\r\n" .. (fields or "") .. "\r\n")
end

local function answer_and_keep(c, status, body, fields)
  head(c, status, (fields or "") .. "Content-Length: " .. #body .. "\r\n")
  push(c, body)
end

--- As the last on its connection, which is said: else the next request could be sent there.
local function answer(c, status, body)
  answer_and_keep(c, status, body, not options.unsaid and "Connection: close\r\n" or nil)
  c.last = true
end

local function chunk(bytes)
  return string.format("%x\r\n%s\r\n", #bytes, bytes)
end

local function each(kind, fn)
  for c in pairs(connections) do
    if c.kind == kind then fn(c) end
  end
end

local function put_out(stream, bytes)
  container.history[#container.history + 1] = frame(stream, bytes)
  each("attach", function(c) push(c, frame(stream, bytes)) end)
  each("logs", function(c) push(c, chunk(frame(stream, bytes))) end)
end

local function ended(code)
  container.code = code
  each("wait", function(c)
    local failed = options.wait_error and '{"Message":"' .. options.wait_error .. '"}' or "null"
    push(c, chunk('{"Error":' .. failed .. ',"StatusCode":' .. code .. "}\n") .. "0\r\n\r\n")
    c.last = true
  end)
  each("attach", function(c) c.last = true end)
  each("logs", function(c)
    push(c, "0\r\n\r\n")
    c.last = true
  end)
end

local function inspect()
  local s = container
  local runs = s.status == "running" or s.status == "paused" or s.status == "restarting"
  local labels = {}
  for i = 1, options.labels or 3 do
    labels[i] = '"l' .. i .. '":"\\"State\\":{\\"Running\\":false,\\"Status\\":\\"exited\\"}"'
  end
  return string.format('{"Id":"x","Config":{"State":{"Running":false,"Status":"exited"},'
    .. '"Env":["State={\\"Running\\":false}"],"Labels":{%s}},"Args":[{"Running":false}],'
    .. '"State":{"Status":"%s","Running":%s,"Paused":%s,"Restarting":%s,"OOMKilled":%s,'
    .. '"Dead":false,"Pid":0,"ExitCode":%d,"Error":"%s","StartedAt":"2026-01-02T03:04:05.6Z",'
    .. '"FinishedAt":"%s","Health":{"Status":"exited","Log":[{"Running":false}]}},'
    .. '"RestartCount":%d,"Name":"/x"}\n', table.concat(labels, ","), s.status, tostring(runs),
    tostring(s.status == "paused"), tostring(s.status == "restarting"), tostring(s.oom or false),
    s.code, s.error or "", runs and "0001-01-01T00:00:00Z" or "2026-01-02T03:04:06.7Z", s.restarts)
end

local function stop(code)
  if options.deaf and code ~= 137 then return end
  script = nil
  container.status = "exited"
  ended(code)
end

local KINDS = {}

function KINDS.attach(c)
  head(c, options.upgrade and 101 or 200, "Content-Type: application/vnd.docker.raw-stream\r\n")
end

function KINDS.wait(c)
  head(c, 200, "Transfer-Encoding: chunked\r\n")
end

function KINDS.json(c)
  answer(c, 200, inspect())
end

function KINDS.logs(c, query)
  head(c, 200, "Transfer-Encoding: chunked\r\n")
  local history = options.log or table.concat(container.history)
  if query:find("since=", 1, true) then history = "" end
  if #history > 0 then push(c, chunk(history)) end
  if container.status ~= "running" or query:find("follow=0", 1, true) then
    push(c, "0\r\n\r\n")
    c.last = true
  end
end

function KINDS.start(c)
  container.status = "running"
  script, wake_at = options.script or {}, now()
  answer(c, 204, "")
end

function KINDS.stop(c)
  if options.deaf then return end -- held, as engines do for the grace
  answer(c, 204, "")
  stop(0)
end

function KINDS.kill(c, query)
  answer(c, 204, "")
  stop(query:find("KILL", 1, true) and 137 or 7)
end

function KINDS.unpause(c)
  if container.status == "paused" then container.status = "running" end
  answer(c, 204, "")
end

-- What a command in the container does: options.exec is { out = "…", times = how often, err = "…",
-- exit = code, echo = true (what it reads it puts out, until that ends) }.
function KINDS.exec(c)
  answer_and_keep(c, 201, '{"Id":"e1"}')
end

function KINDS.exec_start(c)
  local does = options.exec or {}
  head(c, 101, "Connection: Upgrade\r\nUpgrade: tcp\r\n")
  if does.out then push(c, frame(1, does.out:rep(does.times or 1))) end
  if does.err then push(c, frame(2, does.err)) end
  c.reads, c.last = does.echo, not does.echo
end

function KINDS.exec_json(c)
  answer_and_keep(c, 200, string.format('{"Running":false,"Pid":0,"ExitCode":%d}',
    (options.exec or {}).exit or 0))
end

-- Where the answer is always the same.
local PLAIN = {
  ["/version"] = '{"Version":"fake","ApiVersion":"1.43"}', ["/info"] = "{}",
  ["/containers/json"] = "[]", ["/networks"] = '[{"Id":"n1"}]',
  ["/volumes"] = '{"Volumes":[{"Name":"v1"}]}',
}

local function read_stream(c, bytes)
  if bytes == "" then
    c.last, c.reads = true, nil
  else
    push(c, frame(1, bytes))
  end
end

--- The next whole request of a connection: method, target, head and body; what comes after it
-- stays.
local function take_request(c)
  local _, last = c.input:find("\r\n\r\n", 1, true)
  if not last then return nil end
  local top = c.input:sub(1, last)
  local size = tonumber(top:match("\r\n[Cc]ontent%-[Ll]ength: (%d+)") or 0)
  if #c.input < last + size then return nil end
  local body = c.input:sub(last + 1, last + size)
  c.input = c.input:sub(last + size + 1)
  local method, target = top:match("^(%u+) (%S+) HTTP/1.1\r\n")
  return method, target, top, body
end

local function tell(...)
  io.stdout:write(...)
  io.stdout:write("\n")
  io.stdout:flush()
end

--- Refuse a request that fits no shape. Answers whether it did.
local function refuse(c, method, target, top, body)
  local ok, why = shapes_check.request(shapes, { method = method, target = target, head = top,
    body = body })
  if ok then return false end
  why = "shape: " .. why:gsub("%c", "?")
  tell(why)
  answer(c, 400, json.encode { message = why })
  return true
end

local function serve(c)
  local method, path, top, body = take_request(c)
  if not method then return end
  tell(method, " ", path)
  if refuse(c, method, path, top, body) then return end
  if options.tls then -- Go's words to who does not speak it
    push(c, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
    c.last = true
    return
  end
  if path == "/_ping" then
    head(c, 200, "API-Version: " .. (options.api or "1.43") .. "\r\nContent-Length: 2\r\n")
    return push(c, "OK")
  end
  local status, told
  if many then status, told = many(method, path) end
  if status then return answer_and_keep(c, status, told) end
  local plain = PLAIN[path:match("^/v[%d.]+([^?]*)")]
  if plain then return answer_and_keep(c, 200, plain) end
  if path:find("^/v[%d.]+/images/") then return answer(c, 404, '{"message":"no such image"}') end
  local name, query = path:match("^/v[%d.]+/containers/[^/]+/(%a+)%??(.*)$")
  if not name then name, query = "exec_" .. (path:match("^/v[%d.]+/exec/e1/(%a+)$") or ""), "" end
  if not KINDS[name] then return answer_and_keep(c, 404, '{"message":"no such thing here"}') end
  local fail = options.status and options.status[name]
  local limit = options.cut and options.cut[name]
  if fail and #fail > 0 then
    answer(c, table.remove(fail, 1), '{"message":"as asked"}')
    return
  end
  if limit then
    c.limit, options.cut[name] = limit, nil
  end
  c.kind = name
  if options.raw and options.raw[name] then
    push(c, options.raw[name])
    c.last, options.raw[name] = true, nil
    return
  end
  KINDS[name](c, query)
end

local function close(c)
  C.close(c.fd)
  connections[c] = nil
end

local function die(ms)
  for c in pairs(connections) do close(c) end
  C.close(listener)
  listener, gone_until = -1, now() + ms
end

local STEPS = {
  out = function(bytes) put_out(1, bytes) end,
  err = function(bytes) put_out(2, bytes) end,
  lost = function(bytes) container.history[#container.history + 1] = frame(1, bytes) end,
  sleep = function(ms) wake_at = now() + ms end,
  die = function(ms) die(ms) end,
  cut = function(kind) each(kind, close) end,
  status = function(status) container.status = status end,
  oom = function() container.oom = true end,
  exit = function(code)
    container.status = "exited"
    ended(code)
  end,
  restart = function(code)
    container.status, container.restarts = "restarting", container.restarts + 1
    ended(code)
  end,
  remove = function()
    options.status = { json = { 404, 404, 404 }, wait = { 404, 404 }, logs = { 404, 404 } }
    ended(137)
  end,
}

local function run_script()
  while script and script[1] and now() >= wake_at do
    local step = table.remove(script, 1)
    for name, value in pairs(step) do STEPS[name](value) end
    container.status = step.status or container.status
  end
end

local buffer = ffi.new("char[4096]")

local function read_from(c)
  local n = tonumber(C.read(c.fd, buffer, 4096))
  if n >= 0 and c.reads then return read_stream(c, ffi.string(buffer, n)) end
  if n <= 0 then return close(c) end
  c.input = c.input .. ffi.string(buffer, n)
  serve(c)
end

local function write_to(c)
  local part = c.out:sub(1, math.min(options.dribble or #c.out, c.limit or #c.out))
  local n = #part > 0 and tonumber(C.send(c.fd, part, #part, NOSIGNAL)) or 0
  if n < 0 then return close(c) end
  c.out = c.out:sub(n + 1)
  if c.limit then c.limit = c.limit - n end
  if c.limit == 0 or (c.last and c.out == "") then close(c) end
end

local function turn()
  local list = {}
  for c in pairs(connections) do list[#list + 1] = c end
  local fds = ffi.new("fake_pollfd[?]", #list + 1)
  for i, c in ipairs(list) do
    local writes = c.out ~= "" or c.last or c.limit == 0
    local reads = c.last and 0 or POLLIN -- or the end of what is said would be told again
    fds[i] = { c.fd, writes and reads + POLLOUT or reads, 0 }
  end
  fds[0] = { listener, POLLIN, 0 }
  local left = script and script[1] and math.max(0, math.ceil(wake_at - now())) or 50
  if gone_until then left = 1 end
  C.poll(fds, #list + 1, left)
  for i, c in ipairs(list) do
    local r = fds[i].revents
    if r % 2 >= 1 or r >= 8 then read_from(c) end
    if connections[c] and math.floor(r / POLLOUT) % 2 == 1 then write_to(c) end
  end
  if fds[0].revents ~= 0 then
    local fd = C.accept4(listener, nil, nil, NONBLOCK)
    if fd >= 0 then connections[{ fd = fd, input = "", out = "" }] = true end
  end
  if gone_until and now() >= gone_until then
    gone_until = nil
    open_listener()
  end
  if not gone_until then run_script() end
end

open_listener()
io.stdout:write("up\n")
io.stdout:flush()
while true do turn() end
