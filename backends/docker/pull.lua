--- Pulling images: one pull for all who want the same, its progress, and its end when the
-- registry says nothing any more.

local async = require "exhost.async"
local base64 = require "exhost.base64"
local credentials = require "backends.docker.credentials"
local json = require "exhost.json"
local loop = require "exhost.loop"
local reference = require "backends.docker.reference"

local LOOK_SECONDS = 0.05
local PROGRESS_SECONDS = 1 -- between two events about it
local LAST_WORD_SECONDS = 2

--- base64url of the JSON that X-Registry-Auth wants.
local function auth_header(auth)
  if not auth then return nil end
  local text = base64.encode(assert(json.encode(auth)))
  return "X-Registry-Auth: " .. text:gsub("+", "-"):gsub("/", "_")
end

--- Take in one line of what a pull tells: bytes of each layer, and the first error.
local function hear(state, layers, record)
  if record.error or record.errorDetail then
    state.error = state.error or record.error or record.errorDetail.message
  end
  local detail = record.progressDetail
  if record.id and type(detail) == "table" and detail.total then
    layers[record.id] = { detail.current or 0, detail.total }
  end
  state.status = record.status or state.status
  state.digest = state.digest or (record.status or ""):match("^Digest: (sha256:%x+)")
  state.current, state.total = 0, 0
  for _, layer in pairs(layers) do
    state.current, state.total = state.current + layer[1], state.total + layer[2]
  end
end

--- What a pull tells, and the function that takes its bytes, cut anywhere.
local function progress(report)
  local rest, layers, last = "", {}, 0
  local state = { current = 0, total = 0, heard = loop.now() }
  return state, function(bytes)
    state.heard = loop.now()
    rest = rest .. bytes
    for line in rest:gmatch("([^\r\n]*)\r?\n") do
      local record = json.decode(line)
      if type(record) == "table" then hear(state, layers, record) end
    end
    rest = rest:match("[^\n]*$")
    if state.status and loop.now() - last >= PROGRESS_SECONDS then
      last = loop.now()
      report { status = state.status, current = state.current, total = state.total }
    end
  end
end

--- Wait for the call, as long as there is something to hear. Suspends.
local function listen(call, state, settings)
  local begun = loop.now()
  while not call.done do
    local ok, word = async.sleep(LOOK_SECONDS)
    local now, why = loop.now(), nil
    if now - state.heard > settings.pull_silence then
      why = string.format("nothing was heard for %g s (setting backends.docker.pull_silence)",
        settings.pull_silence)
    elseif now - begun > settings.pull_timeout then
      why = string.format("it takes longer than %g s (setting backends.docker.pull_timeout)",
        settings.pull_timeout)
    end
    if not ok or why then
      async.cancel(call)
      return nil, why or word, why and "timeout" or word
    end
  end
  return async.join(call)
end

--- One pull, to its end.
local function pull_once(api, parts, options, state, on_data)
  local auth, unhelpful = options.auth, nil
  if not auth then
    auth, unhelpful = credentials.find(parts.host, options.settings.helper_timeout)
  end
  state.heard = loop.now()
  local call = async.spawn(function()
    return api:call("POST", "/images/create", { on_data = on_data, timeout = math.huge,
      query = { fromImage = parts.name, tag = parts.digest or parts.tag,
        platform = options.platform }, headers = { auth_header(auth) } })
  end, { on_error = function() end })
  local answer, err, code, data = listen(call, state, options.settings)
  if answer and not state.error then return { digest = state.digest } end
  if answer then err, code = state.error, "engine" end
  if unhelpful then err = err .. "; " .. unhelpful end
  return nil, err, code == "not_found" and "engine" or code, data
end

local pulls = setmetatable({}, { __mode = "k" }) -- by client: shared pulls by what is wanted

--- The pull that brings this with these credentials; begun now unless somebody did.
local function shared(api, parts, options)
  local wanted = table.concat({ reference.text(parts), options.platform or "",
    auth_header(options.auth) or "" }, " ")
  pulls[api] = pulls[api] or {}
  local pull = pulls[api][wanted]
  if not pull then
    pull = { waiting = 0, reports = {} }
    pulls[api][wanted] = pull
    local state, on_data = progress(function(fields)
      for report in pairs(pull.reports) do report(fields) end
    end)
    pull.task = async.spawn(pull_once, { on_error = function() end }, api, parts, options, state,
      on_data)
  end
  return pull, function()
    if pulls[api][wanted] == pull then pulls[api][wanted] = nil end
  end
end

--- Pull an image. Several that want the same at once share one pull, which ends early only
--- when none of them waits any more. Suspends.
---@param parts table a parsed reference, not an id
---@param options { auth: table?, platform: string?, report: function?, cancelled: function?,
--- settings: table }
---@return { digest: string? }? result, string? err, string? code, table? data
return function(api, parts, options)
  local pull, forget = shared(api, parts, options)
  local begun = loop.now()
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
  local result, err, code, data = async.shield(LAST_WORD_SECONDS, async.join, pull.task)
  if result then
    if options.report then
      options.report { status = "pulled", digest = result.digest,
        ms = math.floor((loop.now() - begun) * 1000) }
    end
    return result
  end
  return nil, string.format("pull %s: %s", reference.text(parts), err), code, data
end
