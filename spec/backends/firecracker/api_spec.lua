--- The monitor's API as it was recorded from a real one, by which the stand-in is held; where
-- EXHOST_FIRECRACKER names a real one, so is that.

local ffi = require "ffi"
local helper = require "conformance.helper"
local machines = require "support.machines"
local real = require "support.real"
local scratch = require "support.scratch"
local system = require "exhost.system"
local shell = require "support.shell"

local HEADERS = "\r\nServer: Firecracker API\r\nConnection: keep-alive\r\n"
local NOT_AFTER = "The requested operation is not supported after starting the microVM."
local DESERIALIZING = "An error occurred when deserializing the json body of a request: "

-- Method, path, body; status line, body of the answer. Headers are the same for all.
local RECORDED = {
  { "GET", "/", nil, 200, '"state":"Running"' },
  { "PUT", "/actions", '{"action_type": "InstanceStart"}', 400, NOT_AFTER },
  { "PATCH", "/vm", '{"state": "Paused"}', 204 },
  { "GET", "/", nil, 200, '"state":"Paused"' },
  { "PATCH", "/vm", '{"state": "Paused"}', 204 },
  { "PATCH", "/vm", '{"state": "Resumed"}', 204 },
  { "PATCH", "/vm", '{"state": "Resumed"}', 204 },
  { "GET", "/", nil, 200, '"state":"Running"' },
  { "PATCH", "/vm", '{"state": "Bogus"}', 400, DESERIALIZING
    .. "unknown variant `Bogus`, expected `Paused` or `Resumed` at line 1 column 17." },
  { "PATCH", "/vm", "{}", 400, DESERIALIZING .. "missing field `state` at line 1 column 2." },
  { "GET", "/nope", nil, 400, "Invalid request method and/or path: GET nope." },
  { "PUT", "/nope", "{}", 400, "Invalid request method and/or path: PUT nope." },
  { "POST", "/actions", "{}", 400, '{ "error": "Invalid HTTP Method: Unsupported HTTP method.\n'
    .. 'All previous unanswered requests will be dropped." }' },
  { "PUT", "/actions", '{"action_type": "FlushMetrics"}', 204 },
  { "PUT", "/actions", '{"action_type": "SendCtrlAltDel"}', 204 },
}

ffi.cdef "int socket(int, int, int); int connect(int, const void *, unsigned);"

local function ask(socket, row)
  local body = row[3] and "-H 'Content-Type: application/json' -d '" .. row[3] .. "'" or ""
  return shell(string.format("curl -si -m 5 --unix-socket %s -X %s %s http://localhost%s", socket,
    row[1], body, row[2]))
end

local function check(socket)
  for i, row in ipairs(RECORDED) do
    local got = ask(socket, row)
    local name = string.format("%d. %s %s", i, row[1], row[2])
    assert.equal("HTTP/1.1 " .. row[4] .. " ", got:match "^[^\r]*", name)
    assert.truthy(got:find(HEADERS, 1, true), got)
    assert.equal(row[4] ~= 204, got:find("\r\nContent%-Length: %d") ~= nil, name)
    local expected = row[5] or ""
    if row[4] == 400 and expected:sub(1, 1) ~= "{" then
      expected = '{"fault_message":"' .. expected .. '"}'
    end
    local answer = got:match "\r\n\r\n(.*)$"
    if row[4] == 200 then
      assert.matches('^{"id":"[%w-]+",' .. expected .. ',"vmm_version":"%d[%w.-]+",'
        .. '"app_name":"Firecracker"}$', answer)
    else
      assert.equal(expected, answer, name)
    end
  end
end

--- As many connections as a monitor takes. Answers what closes them.
local function fill(socket)
  local address = ffi.new "struct { unsigned short family; char path[108]; }"
  address.family = 1
  ffi.copy(address.path, socket)
  local fds = {}
  for i = 1, 10 do
    fds[i] = ffi.C.socket(1, 1, 0)
    assert(ffi.C.connect(fds[i], address, ffi.sizeof(address)) == 0)
  end
  return function()
    for _, fd in ipairs(fds) do system.close(fd) end
  end
end

local function check_full(ex, id, socket)
  local empty = fill(socket)
  local ok, err, code = ex:pause(id)
  empty()
  assert.same({ nil, "engine" }, { ok, code })
  assert.matches("PATCH /vm: 503 Too many open connections", err)
  assert.is_true(scratch.wait_until(function() return ex:pause(id) end))
  assert.equal("paused", ex:status(id))
end

describe("the stand-in for the monitor", function()
  it("answers as was recorded", machines.with(function(ex, request, path)
    local asked = request "sleep 300"
    assert(ex:start(asked))
    check(path .. "/state/spec/executions/" .. asked.execution_id .. "/vm/api.sock")
  end))

  it("stops a job by Ctrl-Alt-Del, whose init has not heard it by its connection", machines.with(
    function(ex, request, path)
      local asked = request("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.02; done")
      local id = asked.execution_id
      assert(ex:start(asked))
      helper.wait_for_output(ex, id, "up")
      ask(path .. "/state/spec/executions/" .. id .. "/vm/api.sock", RECORDED[#RECORDED])
      local r = assert(ex:wait(id, 10))
      assert.same({ 3, "exited", "up\nbye\n" }, { r.exit_code, r.reason, r.stdout })
    end))

  it("stops a job that has heard it no second time", machines.with(function(ex, request)
    local asked = request("n=0; trap 'n=$((n + 1)); echo told $n' TERM; echo up; "
      .. "while :; do sleep 0.02; done", nil, { stop_grace = 1.5 })
    assert(ex:start(asked))
    helper.wait_for_output(ex, asked.execution_id, "up")
    assert(ex:cancel(asked.execution_id))
    assert.equal("up\ntold 1\n", assert(ex:wait(asked.execution_id, 10)).stdout)
  end))

  it("takes ten connections, and a pause beside them tells so", machines.with(
    function(ex, request, path)
      local asked = request "sleep 300"
      assert(ex:start(asked))
      check_full(ex, asked.execution_id, path .. "/state/spec/executions/" .. asked.execution_id
        .. "/vm/api.sock")
    end))
end)

describe("a real monitor", function()
  local why = real.missing()
  if why then
    pending(why)
    return
  end

  it("answers as was recorded", real.boots("HALT", function(ex, asked, path)
    assert(ex:start(asked))
    local socket = path .. "/state/spec/executions/" .. asked.execution_id .. "/vm/api.sock"
    assert.is_true(scratch.wait_until(function() return ask(socket, RECORDED[1]) ~= "" end))
    check(socket)
    check_full(ex, asked.execution_id, socket)
  end, nil, { jailer = "" }))
end)

