--- The API of the stand-in for firecracker: what is asked of a machine that runs, in the words that
-- were recorded from a real one. fake_firecracker has declared what of C is used here.

local ffi = require "ffi"
local C = ffi.C
local SIGINT = 2

local function read(path)
  local file = io.open(path, "rb")
  local data = file and file:read "*a"
  if file then file:close() end
  return data
end

local function each_process(pid, fn)
  fn(pid)
  for children in (read("/proc/" .. pid .. "/task/" .. pid .. "/children") or ""):gmatch("%d+") do
    each_process(tonumber(children), fn)
  end
end

--- Its own process alone stops no guest, so all of them are.
local function set_state(guest, state)
  local number = state == "Paused" and 19 or 18
  for _ = 1, 3 do -- what was being forked is met by the next round
    each_process(guest, function(pid) C.kill(pid, number) end)
  end
end

local HEAD = "Server: Firecracker API\r\nConnection: keep-alive\r\n"
local FULL = "HTTP/1.1 503\r\nServer: Firecracker API\r\nConnection: close\r\n"
  .. 'Content-Length: 40\r\n\r\n{ "error": "Too many open connections" }'
local MOST_CONNECTIONS = 10
local paused = false

local function reply(status, body)
  if not body then return "HTTP/1.1 " .. status .. " \r\n" .. HEAD .. "\r\n" end
  return "HTTP/1.1 " .. status .. " \r\n" .. HEAD .. "Content-Type: application/json\r\n"
    .. "Content-Length: " .. #body .. "\r\n\r\n" .. body
end

local function fault(...)
  return reply(400, '{"fault_message":"' .. table.concat { ... } .. '"}')
end

local ROUTES = {
  ["GET /"] = function(_, _, id)
    return reply(200, ('{"id":"%s","state":"%s","vmm_version":"%s","app_name":"Firecracker"}')
      :format(id, paused and "Paused" or "Running", os.getenv "FAKE_VERSION" or "1.16.1"))
  end,
  ["PATCH /vm"] = function(guest, body)
    local wrong = "An error occurred when deserializing the json body of a request: "
    local state = body:match '"state"%s*:%s*"([^"]*)"'
    if not state then return fault(wrong, "missing field `state` at line 1 column ", #body, ".") end
    if state ~= "Paused" and state ~= "Resumed" then
      return fault(wrong, "unknown variant `", state, "`, expected `Paused` or `Resumed` at line 1 "
        .. "column ", #body - 1, ".")
    end
    paused = state == "Paused"
    set_state(guest, state)
    return reply(204)
  end,
  ["PUT /actions"] = function(guest, body)
    local action = body:match '"action_type"%s*:%s*"(%a+)"'
    if action == "SendCtrlAltDel" then C.kill(guest, SIGINT) end -- as the kernel tells its init
    if action == "SendCtrlAltDel" or action == "FlushMetrics" then return reply(204) end
    return fault "The requested operation is not supported after starting the microVM."
  end,
}

local function answer(guest, request, id)
  local method, path = request:match("^(%u+) (%S+)")
  if method == "POST" then -- from its parser, whose JSON no strict decoder takes
    return reply(400, '{ "error": "Invalid HTTP Method: Unsupported HTTP method.\n'
      .. 'All previous unanswered requests will be dropped." }')
  end
  local route = ROUTES[method .. " " .. path]
  if route then return route(guest, request:match "\r\n\r\n(.*)$", id) end
  return fault("Invalid request method and/or path: ", method, " ", path:sub(2), ".")
end

--- Bytes of one connection: answers each whole request, keeps the connection.
local function hear(guest, connection, id)
  local bytes = ffi.new "char[4096]"
  local got = tonumber(C.read(connection.fd, bytes, 4096))
  if got <= 0 then
    C.close(connection.fd)
    return false
  end
  connection.data = connection.data .. ffi.string(bytes, got)
  while true do
    local head = connection.data:match("^.-\r\n\r\n")
    local size = head and tonumber(head:lower():match("content%-length: (%d+)") or 0)
    if not head or #connection.data < #head + size then return true end
    local text = answer(guest, connection.data:sub(1, #head + size), id)
    connection.data = connection.data:sub(#head + size + 1)
    C.write(connection.fd, text, #text)
  end
end

--- Serve it until the guest has ended. Answers its status.
return function(listener, guest, id)
  local status, connections = ffi.new "int[1]", {}
  while C.waitpid(guest, status, 1) ~= guest do
    local fds = ffi.new("struct fake_pollfd[?]", #connections + 1)
    fds[0].fd, fds[0].events = listener, 1
    for i, connection in ipairs(connections) do
      fds[i].fd, fds[i].events = connection.fd, 1
    end
    C.poll(fds, #connections + 1, 1)
    for i = #connections, 1, -1 do
      if fds[i].revents ~= 0 and not hear(guest, connections[i], id) then
        table.remove(connections, i)
      end
    end
    if fds[0].revents ~= 0 then
      local fd = C.accept(listener, nil, nil)
      if #connections < MOST_CONNECTIONS then
        connections[#connections + 1] = { fd = fd, data = "" }
      else -- unasked
        C.write(fd, FULL, #FULL)
        C.close(fd)
      end
    end
  end
  return status[0]
end
