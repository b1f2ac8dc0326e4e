--- Images: here or not, and pulling them.

local async = require "exhost.async"
local base64 = require "exhost.base64"
local client = require "backends.docker.client"
local credentials = require "backends.docker.credentials"
local json = require "exhost.json"
local loop = require "exhost.loop"
local reference = require "backends.docker.reference"

local image = {}

local PULL_SECONDS, SILENT_SECONDS = 3600, 300
local LOOK_SECONDS = 0.05
local PROGRESS_SECONDS = 1 -- between two events about it

--- An image's record, nil and not_found when it is not here. Suspends.
---@return table? inspect, string? err, string? code
function image.inspect(api, name)
  return api:call("GET", "/images/" .. name:gsub("[^%w._~/:@-]", client.escape) .. "/json")
end

--- base64url of the JSON that X-Registry-Auth wants.
local function auth_header(auth)
  if not auth then return nil end
  local text = base64.encode(assert(json.encode(auth)))
  return "X-Registry-Auth: " .. text:gsub("+", "-"):gsub("/", "_")
end

--- What a pull tells, line by line: bytes of each layer, and the first error.
local function progress(report)
  local rest, layers, state = "", {}, { current = 0, total = 0 }
  local last = 0
  return state, function(bytes)
    rest = rest .. bytes
    state.heard = loop.now()
    for line in rest:gmatch("([^\r\n]*)\r?\n") do
      local record = json.decode(line)
      if type(record) == "table" then
        if record.error or record.errorDetail then
          state.error = state.error or record.error or record.errorDetail.message
        end
        local detail = record.progressDetail
        if record.id and type(detail) == "table" and detail.total then
          layers[record.id] = { detail.current or 0, detail.total }
        end
        state.status = record.status or state.status
        state.digest = state.digest or (record.status or ""):match("^Digest: (sha256:%x+)")
      end
    end
    rest = rest:match("[^\n]*$")
    state.current, state.total = 0, 0
    for _, layer in pairs(layers) do
      state.current, state.total = state.current + layer[1], state.total + layer[2]
    end
    if report and loop.now() - last >= PROGRESS_SECONDS then
      last = loop.now()
      report { status = state.status, current = state.current, total = state.total }
    end
  end
end

--- One pull, until it ends or the registry says nothing for too long.
local function pull_once(api, parts, options, state, on_data)
  local auth = options.auth or credentials.find(parts.host)
  local query = { fromImage = parts.name, tag = parts.digest or parts.tag,
    platform = options.platform }
  local call = async.spawn(function()
    return api:call("POST", "/images/create", { query = query, on_data = on_data,
      headers = { auth_header(auth) }, timeout = PULL_SECONDS })
  end, { on_error = function() end })
  while not call.done do
    local ok, word = async.sleep(LOOK_SECONDS)
    local silent = loop.now() - state.heard > SILENT_SECONDS
    if not ok or silent then
      async.cancel(call)
      if silent then
        return nil, string.format("nothing was heard for %d s", SILENT_SECONDS), "timeout"
      end
      return nil, word, word
    end
  end
  local answer, err, code, data = async.join(call)
  if not answer then return nil, err, code, data end
  if state.error then return nil, state.error, "engine" end
  return { digest = state.digest }
end

local pulls = setmetatable({}, { __mode = "k" }) -- by client: shared pulls by name

local function shared(api, parts, options)
  local name = reference.text(parts) .. " " .. (options.platform or "")
  pulls[api] = pulls[api] or {}
  local pull = pulls[api][name]
  if not pull or options.auth then
    pull = { waiting = 0, reports = {} }
    local state, on_data = progress(function(fields)
      for report in pairs(pull.reports) do report(fields) end
    end)
    state.heard = loop.now()
    pull.task = async.spawn(pull_once, { on_error = function() end }, api, parts, options, state,
      on_data)
    if not options.auth then pulls[api][name] = pull end
  end
  return pull, function()
    if pulls[api][name] == pull then pulls[api][name] = nil end
  end
end

--- Pull an image. Several that want the same at once share one pull, which ends early only
--- when none of them waits any more. Suspends.
---@param options { auth: table?, platform: string?, report: function?, cancelled: function? }
---@return { digest: string? }? result, string? err, string? code, table? data
function image.pull(api, parts, options)
  if parts.id then return nil, "an image is pulled by name, not by id", "invalid" end
  local pull, forget = shared(api, parts, options)
  pull.waiting = pull.waiting + 1
  if options.report then pull.reports[options.report] = true end
  local word
  while not pull.task.done and not word do
    local ok, why = async.sleep(LOOK_SECONDS)
    word = not ok and why or options.cancelled and options.cancelled() and "cancelled" or nil
  end
  pull.waiting = pull.waiting - 1
  if options.report then pull.reports[options.report] = nil end
  if pull.task.done or pull.waiting == 0 then forget() end
  if pull.waiting == 0 and not pull.task.done then async.cancel(pull.task) end
  if word and not pull.task.done then
    return nil, string.format("pull %s: %s", reference.text(parts), word), word
  end
  local result, err, code, data = async.join(pull.task)
  if result then return result end
  return nil, string.format("pull %s: %s", reference.text(parts), err), code, data
end

--- Have the image here, as the setting says. Suspends.
---@param policy string never missing always
---@return table? inspect, string? err, string? code, table? data
function image.ensure(api, params, policy, options)
  local parts = assert(reference.parse(params.image))
  local name = reference.text(parts)
  local found, err, code, data = image.inspect(api, name)
  if not found and code ~= "not_found" then return nil, err, code, data end
  if found and (policy ~= "always" or parts.id) then return found end
  if policy == "never" or parts.id then
    return nil, string.format('no such image "%s" (pull is off: set image_pull = "missing")',
      name), "engine", data
  end
  local auth = params.registry_auth
  if params.username and params.password then
    auth = { username = params.username, password = params.password }
  end
  options.auth, options.platform = auth, params.platform
  local pulled
  pulled, err, code, data = image.pull(api, parts, options)
  if not pulled then return nil, err, code, data end
  return image.inspect(api, name)
end

return image
