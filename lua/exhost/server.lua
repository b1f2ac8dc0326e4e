--- The socket of a host: JSON-RPC 2.0, one object a line, the methods of rpc.lua. Log streams
--- and feeds travel as descriptors, with the line that answers.

local async = require "exhost.async"
local json = require "exhost.json"
local lines = require "exhost.lines"
local listen = require "exhost.listen"
local loop = require "exhost.loop"
local outlet = require "exhost.outlet"
local rpc = require "exhost.rpc"
local system = require "exhost.system"

local server = { SOCKET = "serve.sock" }

local MOST_LINE, MOST_QUEUED = 16 * 1024 * 1024, 64 * 1024 * 1024
local MOST_CALLS = 1024 -- in flight on one connection
local MOST_CONNECTIONS = 1024

-- JSON-RPC 2.0, section 5.1; ours is in data.code.
local PARSE, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS, OWN = -32700, -32600, -32601, -32602,
  -32000

---@class exhost.Server
local Server = {}
Server.__index = Server

---@class exhost.Connection
local Connection = {}
Connection.__index = Connection

function Connection:close()
  if self.closed then return end
  self.closed = true
  if self.reader then self.reader:close() end
  self.writer:close()
  for _, task in pairs(self.calls) do async.cancel(task) end -- the calls, not the executions
  self.server.connections[self] = nil
  self.server.count = self.server.count - 1
  self.server.dialect.closed(self)
end

--- Send a line. A peer that does not read what it asked for is hung up on.
function Connection:send(value, fd)
  local line = not self.closed and json.encode(value)
  local ok = line and self.writer:put(line .. "\n", fd)
  if not ok then
    if fd then system.close(fd) end
    self:close()
  end
end

--- What a socket is for. `call` may suspend.
---@class exhost.Dialect
---@field socket string its name in the executor's folder
---@field knows fun(method: string): boolean
---@field call fun(conn: exhost.Connection, method: string, params: any): any, any, string?, table?
---@field opened fun(conn: exhost.Connection)
---@field closed fun(conn: exhost.Connection)
local RPC = {
  socket = server.SOCKET,
  knows = function(method) return rpc.METHODS[method] ~= nil end,
  call = function(conn, method, params)
    return rpc.call(conn.server.executor, method, params)
  end,
  opened = function() end,
  closed = function() end,
}

local function error_object(code, message, data)
  return { code = code, message = message, data = data }
end

local NUMBERS = { invalid = INVALID_PARAMS }

function Connection:perform(id, method, params)
  local value, more, code, data = self.server.dialect.call(self, method, params)
  local fd = type(more) == "number" and more or nil
  if id == nil then -- a notification is not answered
    if fd then system.close(fd) end
    return
  end
  if value == nil then
    local number = not self.server.dialect.knows(method) and NO_METHOD or NUMBERS[code] or OWN
    data = data or {}
    data.code = code or "internal"
    local failed = error_object(number, tostring(more), data)
    return self:send { jsonrpc = "2.0", id = id, error = failed }
  end
  if fd and type(value) == "table" then value.fd = true end
  self:send({ jsonrpc = "2.0", id = id, result = value }, fd)
  loop.look()
end

--- Calls are known by their id, as text: 1 and "1" are two.
local function key_of(id)
  if id == json.null then return nil end -- several may be in flight, none can be cancelled
  return type(id) .. ":" .. tostring(id)
end

function Connection:begin(request)
  local id, key = request.id, nil
  if id ~= nil then
    key = key_of(id)
    if key and self.calls[key] then
      return self:send { jsonrpc = "2.0", id = id,
        error = error_object(INVALID_REQUEST, "this id is in flight") }
    end
    if self.in_flight >= MOST_CALLS then
      return self:send { jsonrpc = "2.0", id = id,
        error = error_object(OWN, "too many calls in flight", { code = "unavailable" }) }
    end
  end
  self.in_flight = self.in_flight + 1
  local function done()
    self.in_flight = self.in_flight - 1
    if key then self.calls[key] = nil end
  end
  local task = async.spawn(function()
    self:perform(id, request.method, request.params)
    done()
  end, { actor = { uid = self.uid, pid = self.pid }, on_error = function(message)
    done()
    self.server.log("error", tostring(message))
    if id ~= nil then
      self:send { jsonrpc = "2.0", id = id, error = error_object(-32603, "internal error") }
    end
  end })
  if key and not task.done then self.calls[key] = task end
end

function Connection:take(line)
  local request, err = json.decode(line, "id")
  if request == nil then
    return self:send { jsonrpc = "2.0", id = json.null, error = error_object(PARSE, err) }
  end
  local id_ok = type(request) == "table"
    and (request.id == nil or request.id == json.null or type(request.id) == "string"
      or type(request.id) == "number")
  if not id_ok or type(request.method) ~= "string" then
    return self:send { jsonrpc = "2.0", id = json.null, error = error_object(INVALID_REQUEST,
      "expected an object with method, and an id that is a string, a number or null") }
  end
  if request.method == "$/cancel" then
    local target = type(request.params) == "table" and request.params.id
    local task = target and self.calls[key_of(target)]
    if task then async.cancel(task) end
    return
  end
  self:begin(request)
end

function Server:connect(fd, uid, pid)
  local other = system.dup(fd)
  if not other or self.count >= MOST_CONNECTIONS then
    system.close(fd)
    if other then system.close(other) end
    return
  end
  local conn = setmetatable({ server = self, calls = {}, in_flight = 0, uid = uid, pid = pid },
    Connection)
  conn.writer = outlet.open(fd, MOST_QUEUED, function(word)
    if word == "gone" then conn:close() end
  end)
  conn.reader = lines.open(other, MOST_LINE, function(line, err, code)
    if line then return conn:take(line) end
    conn.reader = nil
    if code == "EMSGSIZE" then
      conn:send { jsonrpc = "2.0", id = json.null, error = error_object(INVALID_REQUEST,
        string.format("a line is longer than %d bytes", MOST_LINE)) }
    end
    conn:close(err)
  end)
  self.connections[conn] = true
  self.count = self.count + 1
  self.dialect.opened(conn)
end

function Server:close()
  self.listener:close()
  for conn in pairs(self.connections) do conn:close() end
end

--- Listen in the executor's folder, or on a socket that was given (socket activation).
---@param executor exhost.Executor
---@param options? { fd: integer?, log: fun(level: string, message: string)?,
--- dialect: exhost.Dialect? }
---@return exhost.Server? server, string? err, string? code
function server.open(executor, options)
  options = options or {}
  local self = setmetatable({ executor = executor, connections = {}, count = 0,
    dialect = options.dialect or RPC, log = options.log or function() end }, Server)
  local function connected(fd, uid, pid) self:connect(fd, uid, pid) end
  local err, code
  if options.fd then
    self.listener, err, code = listen.wrap(options.fd, connected)
  else
    self.listener, err, code = listen.open(executor.state.dir, self.dialect.socket, connected)
  end
  if self.listener then return self end
  if code == "EADDRINUSE" then
    return nil, "another host serves this executor already", "already_started"
  end
  return nil, "listen: " .. err, "io"
end

return server
