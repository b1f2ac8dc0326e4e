--- Requests to a monitor's socket: JSON in, its own words out.

local async = require "exhost.async"
local http = require "exhost.http_core"
local json = require "exhost.json"

local api = {}

local CALL_SECONDS = 10
local TRIES, PAUSE = 50, 0.02 -- the socket's file appears before anybody listens

--- Of its two shapes of errors one holds a raw newline, which no strict decoder takes.
function api.words(body)
  local decoded = json.decode((body:gsub("[%c]", " ")))
  local text = type(decoded) == "table" and (decoded.fault_message or decoded.error) or body
  return (tostring(text):gsub("%s+$", ""))
end

local function exchange(client, request)
  return async.with_deadline(CALL_SECONDS, async.await, function(done)
    request.on_answer = done
    local sent, err, name = client:send(request)
    if not sent then return done(nil, err, name) end
    return function() sent:abort() end
  end)
end

--- One request. By the socket's descriptor: a path of 107 bytes is all that its address holds, and
--- in a jail the monitor could put a link into its place. Suspends.
---@param dir exhost.dir the machine's folder
---@return string? body, string? err, string? code
function api.call(dir, method, path, body)
  local what = method .. " " .. path .. ": "
  local socket, err, code = dir:socket "api.sock"
  if not socket then
    return nil, what .. "the monitor's socket: " .. err, code == "ENOENT" and "not_found" or "io"
  end
  local client
  client, err, code = http.open("/proc/self/fd/" .. socket:number())
  if not client then
    socket:close()
    return nil, err, code
  end
  local answer
  for _ = 1, TRIES do
    answer, err, code = exchange(client, { method = method, path = path,
      headers = { "Content-Type: application/json", "Expect:" },
      body = body and json.encode(body) })
    if not answer or answer.status ~= 0 then break end
    async.sleep(PAUSE)
  end
  client:close()
  socket:close()
  if not answer then return nil, what .. tostring(err), code == "timeout" and code or "io" end
  if answer.status == 0 then
    return nil, what .. "the monitor cannot be reached: " .. tostring(answer.error), "not_found"
  end
  if answer.status >= 300 then
    return nil, string.format("%s%d %s", what, answer.status, api.words(answer.body)), "engine"
  end
  return answer.body
end

return api
