--- Calls to a host that serves: the other side of server.lua.

local async = require "exhost.async"
local json = require "exhost.json"
local lines = require "exhost.lines"
local listen = require "exhost.listen"
local loop = require "exhost.loop"
local outlet = require "exhost.outlet"
local server = require "exhost.server"
local system = require "exhost.system"

local client = {}

local MOST = 256 * 1024 * 1024

---@class exhost.Client
local Client = {}
Client.__index = Client

--- Connect to the host that serves this folder.
---@param dir any the executor's folder
---@param options? { socket: string?, notice: fun(method: string, params: table)? }
---@return exhost.Client? client, string? err, string? code "unavailable": nobody serves it
function client.open(dir, options)
  options = options or {}
  local fd, err, code = listen.connect(dir, options.socket or server.SOCKET)
  if code == "EAGAIN" then
    return nil, "the host that serves takes nobody: more wait for it than it has room for",
      "unavailable"
  end
  if not fd then
    local nobody = code == "ENOENT" or code == "ECONNREFUSED"
    return nil, nobody and "no host serves this executor" or err, nobody and "unavailable" or "io"
  end
  local self = setmetatable({ waiting = {}, next_id = 0, notice = options.notice }, Client)
  self.reader = lines.open(system.dup(fd), MOST, function(line, why)
    if line then return self:take(line) end
    self.reader, self.gone = nil, why or "it hung up"
    for _, done in pairs(self.waiting) do
      done(nil, "the host hung up" .. (why and ": " .. why or ""), "unavailable")
    end
    self.waiting = {}
  end)
  self.writer = outlet.open(fd, MOST, function() end)
  return self
end

function Client:take(line)
  local answer = json.decode_marked(line)
  if type(answer) == "table" and answer.method and self.notice then
    return self.notice(answer.method, answer.params)
  end
  local done = type(answer) == "table" and answer.id and self.waiting[answer.id]
  if not done then return end
  self.waiting[answer.id] = nil
  local err = answer.error
  if err then
    local data = err.data or {}
    local code = data.code or "invalid"
    data.code = nil
    return done(nil, err.message, code, next(data) and data)
  end
  local fd = type(answer.result) == "table" and answer.result.fd and self.reader:take_fd() or nil
  done(answer.result, fd)
end

local function pack(...)
  return { n = select("#", ...), ... }
end

--- Wait for the answer of a call that was cancelled: what became of it.
local function settle(self, id, seconds, cancelled)
  local late = async.shield(seconds, function()
    return async.await(function(done)
      if cancelled.late then return done(cancelled.late) end
      self.waiting[id] = function(...) done(pack(...)) end
      return function() self.waiting[id] = nil end
    end)
  end)
  if late then return unpack(late, 1, late.n) end
  return unpack(cancelled, 1, cancelled.n)
end

--- Call a method. Suspends; an interrupted caller cancels the call.
---@param method string
---@param params table?
---@param options? { settle: number? } seconds that an interrupted caller waits for what became of
--- the call, which may have been done by then
---@return any value, integer|string|nil fd_or_err, string? code, table? data
function Client:call(method, params, options)
  self.next_id = self.next_id + 1
  local id, seconds, cancelled = self.next_id, options and options.settle, nil
  if self.gone then return nil, "the host is gone: " .. self.gone, "unavailable" end
  local answer = pack(async.await(function(done)
    local ok, err = self.writer:put(json.encode { jsonrpc = "2.0", id = id, method = method,
      params = params } .. "\n")
    if not ok then return done(nil, err, "unavailable") end
    self.waiting[id] = done
    loop.look()
    return function()
      cancelled = {}
      self.waiting[id] = seconds and function(...) cancelled.late = pack(...) end or nil
      self.writer:put(json.encode { jsonrpc = "2.0", method = "$/cancel", params = { id = id } }
        .. "\n")
    end
  end))
  if cancelled and seconds then
    answer.late = cancelled.late
    return settle(self, id, seconds, answer)
  end
  return unpack(answer, 1, answer.n)
end

function Client:close()
  if self.reader then self.reader:close() end
  self.writer:close()
end

return client
