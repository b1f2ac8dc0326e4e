--- The library's own script: calls that embed.c brings in become tasks, and each is
-- answered once.

local async = require "exhost.async"
local executor = require "exhost.executor"
local feed = require "exhost.feed"
local json = require "exhost.json"
local rpc = require "exhost.rpc"
local server = require "exhost.server"

local function decode_object(text, what)
  if text == nil or text == "" then return {} end
  local value, err = json.decode(text)
  if type(value) ~= "table" then
    return nil, string.format("%s: %s", what, err or "expected a JSON object"), "invalid"
  end
  return value
end

local function open(options)
  local settings, err, code = decode_object(options.config, "config")
  if not settings then return nil, err, code end
  if options.ceiling then
    settings.ceiling, err, code = decode_object(options.ceiling, "ceiling")
    if not settings.ceiling then return nil, err, code end
  end
  settings.serve = options.serve or settings.serve
  settings.attach = options.attach or settings.attach
  return executor.open { id = options.executor, state_dir = options.state_dir,
    backend = options.backend, settings = settings, lua_path = options.lua_path,
    lenient = not options.strict }
end

local function failure(code, message, data)
  code = type(code) == "string" and code or "internal"
  return code, json.encode { code = code, message = tostring(message), data = data }
    or '{"code":"internal","message":"the error cannot be encoded"}'
end

local function keys(t)
  local list = {}
  for key in pairs(t) do list[#list + 1] = key end
  return list
end

--- What travels: code (nil for none), JSON, descriptor.
local function encode(method, value, more, code, data)
  if value == nil then return failure(code, more, data) end
  local encoded, why = json.encode(value)
  if not encoded then return failure("internal", method .. ": encode the answer: " .. why) end
  return nil, encoded, type(more) == "number" and more or nil
end

---@param options table see exhost.h
---@param host { answer: function, ready: function, failed: function, log: function }
return function(options, host)
  local calls, parked, ex = {}, {}, nil

  -- A call that only has to wait does so without its task.
  local function park(call, method, params)
    local known = rpc.METHODS[method]
    if not known or not known.later then return nil end
    local abort = rpc.later(ex, method, params, function(...)
      parked[call] = nil
      host.answer(call, encode(method, ...))
    end)
    parked[call] = abort
    return abort
  end

  local function run_call(call, method, text, timeout)
    local params, err, code = decode_object(text, method .. ": parameters")
    if not params then
      host.answer(call, failure(code, err))
    elseif timeout or not park(call, method, params) then
      host.answer(call,
        encode(method, async.with_deadline(timeout, rpc.call, ex, method, params)))
    end
    calls[call] = nil
  end

  -- Of a call that is not answered: nothing can fail afterwards.
  local function on_error(message, task)
    for call, other in pairs(calls) do
      if other == task then
        calls[call] = nil
        host.log("error", tostring(message))
        return host.answer(call, failure("internal", "internal error, see the log"))
      end
    end
  end

  local CALL = { on_error = on_error }

  local function on_call(call, method, text, timeout)
    local task = async.spawn(run_call, CALL, call, method, text, timeout)
    if not (task.done and task.result[1]) then calls[call] = task end
  end

  local function on_cancel(call)
    local abort = parked[call]
    if abort then
      parked[call] = nil
      abort()
      host.answer(call, failure("cancelled", "cancelled"))
    elseif calls[call] then
      async.cancel(calls[call])
    end
  end

  local recovery
  local sockets = {}

  local function on_close()
    async.spawn(function()
      local tasks = { recovery }
      for _, call in ipairs(keys(parked)) do on_cancel(call) end
      for _, task in pairs(calls) do tasks[#tasks + 1] = task end
      for _, socket in ipairs(sockets) do socket:close() end
      for _, task in ipairs(tasks) do async.cancel(task) end
      for _, task in ipairs(tasks) do async.join(task) end
      ex:close()
    end)
  end

  async.spawn(function()
    local err, code
    ex, err, code = open(options)
    if not ex then return host.failed(code or "internal", err) end
    for _, kind in ipairs { "serve", "attach" } do
      if ex.settings[kind] then
        local open_socket = kind == "serve" and server.open or require("exhost.repl.remote").open
        local socket
        socket, err, code = open_socket(ex, { log = host.log })
        if not socket then
          for _, other in ipairs(sockets) do other:close() end
          ex:close()
          return host.failed(code, err)
        end
        sockets[#sockets + 1] = socket
      end
    end
    recovery = async.spawn(function()
      ex:tend(function()
        if ex.settings.serve then feed.keep(ex, host.log) end -- as `exhost serve` does
      end)
    end, {
      on_error = function(message) host.log("error", "recover: " .. tostring(message)) end })
    host.ready(on_call, on_cancel, on_close)
  end, { on_error = function(message) host.failed("internal", tostring(message)) end })
end
