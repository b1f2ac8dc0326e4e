--- metrics.lua over HTTP, on a port of the loopback: GET /metrics, and nothing else.

local async = require "exhost.async"
local lines = require "exhost.lines"
local listen = require "exhost.listen"
local loop = require "exhost.loop"
local metrics = require "exhost.metrics"
local outlet = require "exhost.outlet"
local system = require "exhost.system"

local scrape = {}

local MOST_LINE, MOST_LINES, MOST_ANSWER = 8192, 100, 64 * 1024 * 1024
local SECONDS, MOST_CONNECTIONS = 10, 32

local TYPE = "text/plain; version=0.0.4; charset=utf-8"

local function response(status, body)
  return string.format("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
    .. "Connection: close\r\n\r\n%s", status, TYPE, #body, body)
end

--- What to answer. Suspends.
local function answer(ex, request)
  local method, path = request:match("^(%u+) ([^ ?]+)%S* HTTP/1%.%d\r?$")
  if not method then return response("400 Bad Request", "expected GET /metrics\n") end
  if method ~= "GET" then return response("405 Method Not Allowed", "expected GET /metrics\n") end
  if path ~= "/metrics" then return response("404 Not Found", "expected GET /metrics\n") end
  return response("200 OK", metrics.text(ex))
end

---@class exhost.Scrape
local Scrape = {}
Scrape.__index = Scrape

--- One request a connection; the other side hangs up when it has read the answer.
function Scrape:connect(fd)
  local other = self.count < MOST_CONNECTIONS and system.dup(fd)
  if not other then return system.close(fd) end
  local conn, request, count = {}, nil, 0
  function conn.close()
    if not self.open[conn] then return end
    self.open[conn] = nil
    self.count = self.count - 1
    conn.timer:stop()
    if conn.reader then conn.reader:close() end
    conn.writer:close()
  end
  self.open[conn] = true
  self.count = self.count + 1
  conn.timer = loop.timer(SECONDS, conn.close)
  conn.writer = outlet.open(fd, MOST_ANSWER, function(word)
    if word == "gone" then conn.close() end
  end)
  conn.reader = lines.open(other, MOST_LINE, function(line)
    count = count + 1
    if not line then conn.reader = nil end
    if not line or count > MOST_LINES then return conn.close() end
    request = request or line
    if line ~= "" and line ~= "\r" or conn.answered then return end
    conn.answered = true
    async.spawn(function()
      local text = answer(self.executor, request)
      if self.open[conn] then conn.writer:put(text) end
    end)
  end)
end

function Scrape:close()
  self.listener:close()
  for conn in pairs(self.open) do conn.close() end
end

--- Listen on a port of 127.0.0.1, 0 for any.
---@param executor exhost.Executor
---@param port integer
---@return exhost.Scrape? scrape with `port`, string? err, string? code
function scrape.open(executor, port)
  local self = setmetatable({ executor = executor, open = {}, count = 0 }, Scrape)
  local err
  self.listener, err = listen.loopback(port, function(fd) self:connect(fd) end)
  if not self.listener then
    return nil, string.format("listen on 127.0.0.1:%d: %s", port, err), "io"
  end
  self.port = err
  return self
end

return scrape
