--- Requests to a Docker engine: JSON in and out, versions, errors as values.

local address = require "backends.docker.address"
local async = require "exhost.async"
local hijack = require "exhost.hijack"
local http = require "exhost.http_core"
local json = require "exhost.json"
local loop = require "exhost.loop"
local metrics = require "exhost.metrics"
local sorted_keys = require "exhost.sorted_keys"

local client = {}

local LEAST, MOST = "1.41", "1.51" -- API versions that we know how to speak
local CALL_SECONDS = 60
local LABELS = { backend = "docker" } -- of its metrics

---@class exhost.DockerClient
---@field version string? API version in use
---@field engine string the address, as the shim takes it
local Client = {}
Client.__index = Client

--- An API version as a number, so that versions can be compared; nil when it is none.
---@param version string? "1.41"
---@return integer?
function client.number(version)
  local major, minor = tostring(version):match("^(%d+)%.(%d+)$")
  return major and major * 1000 + minor or nil
end

local number = client.number

--- Whether the engine's API is at least this.
function Client:at_least(version)
  return number(self.version) >= number(version)
end

--- Percent-encode a value for a path or query.
function client.escape(value)
  return (tostring(value):gsub("[^%w._~-]", function(c)
    return string.format("%%%02X", c:byte())
  end))
end

local function query(params)
  local parts = {}
  for i, name in ipairs(sorted_keys(params)) do
    parts[i] = name .. "=" .. client.escape(params[name])
  end
  return #parts > 0 and "?" .. table.concat(parts, "&") or ""
end

--- The engine's own words: {"message": …} (podman: message, cause), or plain text.
local function words(answer)
  local body = json.decode(answer.body)
  local text = type(body) == "table" and body.message or answer.body
  return (tostring(text):gsub("%s+$", ""))
end

local CODES = { [400] = "engine", [403] = "denied", [404] = "not_found", [501] = "unsupported",
  [503] = "unavailable" }

--- What came of an exchange: its answer, or why there is none.
local function answered(answer, word, code)
  if answer then return answer end
  return nil, word, (code == "cancelled" or code == "timeout") and code or "io"
end

--- One exchange; answers what http_core tells. Suspends.
function Client:exchange(request)
  return answered(async.with_deadline(request.timeout or CALL_SECONDS, async.await,
    function(done)
      request.on_answer = done
      local sent, err, name = self.http:send(request)
      if not sent then return done(nil, err, name) end
      return function() sent:abort() end
    end))
end

local function unreachable(self, answer)
  self.version = nil -- it may come back as another one
  return nil, string.format("the engine at %s cannot be reached: %s", self.where, answer.error),
    "unavailable", { refused = answer.refused }
end

--- Ask for the API version once, and again after the engine was away. Suspends.
---@return true? ok, string? err, string? code
function Client:negotiate()
  if self.version then return true end
  local answer, err, code = self:exchange { method = "GET", path = "/_ping", timeout = 10 }
  if not answer then return nil, err, code end
  if answer.status == 0 then return unreachable(self, answer) end
  local engine = answer.version
  if not number(engine) and answer.status == 400 and answer.body:find("HTTPS", 1, true) then
    return nil, string.format("the engine at %s wants TLS, %s", self.where, address.NO_TLS),
      "unavailable"
  elseif not number(engine) then
    return nil, string.format("%s does not speak Docker's API (HTTP %d to /_ping)", self.where,
      answer.status), "unavailable"
  end
  if number(engine) < number(LEAST) then
    return nil, string.format("the engine at %s speaks API %s, older than %s", self.where, engine,
      LEAST), "unsupported"
  end
  self.version = number(engine) < number(MOST) and engine or MOST
  return true
end

--- What is wrong with an answer, if anything is.
---@return boolean failed, string? err, string? code, table? data
local function failure(answer)
  if answer.status >= 400 then
    return true, words(answer), CODES[answer.status] or "engine", { status = answer.status }
  end
  if answer.error then
    return true, "the engine's answer was cut short: " .. answer.error, "unavailable",
      { status = answer.status, cut = true }
  end
  return false
end

--- POST what turns the connection into a stream both ways, and pass on what is said until it
--- ends. Suspends; interrupted it cuts the connection.
---@param path string below the version
---@param options { body: any, stdin: integer?, stdout: integer, stderr: integer } descriptors,
--- taken over
---@return true? ok, string? err, string? code, table? data status
function Client:stream(path, options)
  local ok, err, code = self:negotiate()
  if not ok then return nil, err, code end
  local answer
  answer, err, code = answered(async.await(function(done)
    local opened, why, name = hijack.open(self.http, { path = "/v" .. self.version .. path,
      body = assert(json.encode(options.body)), stdin = options.stdin,
      stdout = options.stdout, stderr = options.stderr }, done)
    if not opened then return done(nil, why, name) end
    return function() opened:close() end
  end))
  if not answer then return nil, err, code end
  if answer.status == 0 then return unreachable(self, answer) end
  local failed, why, kind, data = failure(answer)
  if failed then return nil, why, kind, data end
  return true
end

local function call(self, method, path, options)
  options = options or {}
  local ok, err, code = self:negotiate()
  if not ok then return nil, err, code end
  local headers = {}
  for i, header in ipairs(options.headers or {}) do headers[i] = header end
  local body = options.raw
  if options.body ~= nil then
    body, err = json.encode(options.body)
    if not body then return nil, "encode the request: " .. err, "internal" end
    headers[#headers + 1] = "Content-Type: application/json"
  elseif options.type then
    headers[#headers + 1] = "Content-Type: " .. options.type
  end
  local answer
  answer, err, code = self:exchange { method = method,
    path = "/v" .. self.version .. path .. query(options.query), headers = headers, body = body,
    timeout = options.timeout, limit = options.limit, on_data = options.on_data }
  if not answer then return nil, err, code end
  if answer.status == 0 then return unreachable(self, answer) end
  local failed, why, data
  failed, why, code, data = failure(answer)
  if failed then return nil, why, code, data end
  if options.on_data then return answer end
  if answer.body == "" then return true end
  local value = json.decode(answer.body)
  if value == nil then return answer end
  return value
end

--- An engine that was replaced while we lived may want another version: it says so, in plain
--- text ("client version 1.41 is too old. Minimum supported API version is 1.44").
local function refuses_version(err, data)
  return data and data.status == 400 and err:find("client version %S+ is too %l+") ~= nil
end

--- As `call`, and once more with the version that the engine has now.
local function call_current(self, ...)
  local value, err, code, data = call(self, ...)
  if value ~= nil or not refuses_version(err, data) then return value, err, code, data end
  self.version = nil
  value, err, code, data = call(self, ...)
  if value == nil and refuses_version(err, data) then code = "unsupported" end
  return value, err, code, data
end

--- Put a call into an execution's story: what was called and how long it took.
local function tell(story, method, path, took, err)
  story("engine_call", { call = method .. " " .. path:gsub("^/containers/[^/]+/", "/containers/…/"),
    ms = math.floor(took * 1e4 + 0.5) / 10, error = err and "" .. err or nil })
end

--- Call the API. Suspends.
---@param method string
---@param path string below the version, such as "/containers/json"
---@param options? { query: table, body: any, raw: string, type: string, headers: string[],
--- timeout: number, limit: number, on_data: function, story: function } story:
--- `event` of the execution that it is made for, which tells of it
---@return any value decoded JSON, or the bare answer where that is none
---@return string? err, string? code, table? data status
function Client:call(method, path, options)
  local began, story = loop.now(), options and options.story
  local value, err, code, data = metrics.watch("exhost_engine_call", "exhost_engine_calls_total",
    LABELS, call_current, self, method, path, options)
  if story then tell(story, method, path, loop.now() - began, value == nil and err) end
  return value, err, code, data
end

function Client:close()
  self.http:close()
end

--- Open a client. Speaks to nobody yet.
---@param setting string? an address; nil: as the docker command finds it
---@return exhost.DockerClient? client, string? err, string? code
function client.open(setting)
  local value, err = address.find(setting)
  if not value then return nil, err, "invalid" end
  local where, shim = address.parse(value)
  if not where then return nil, "docker engine: " .. shim, "invalid" end
  local opened, why, code = http.open(where)
  if not opened then return nil, why, code == "ENOSYS" and "unavailable" or "io" end
  return setmetatable({ http = opened, where = value, engine = shim }, Client)
end

return client
