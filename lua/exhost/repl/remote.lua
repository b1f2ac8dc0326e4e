--- Prompts for others: a second socket of a host that serves, for those who may look into it.
--- JSON-RPC as in server.lua; a connection is a prompt of its own. What is typed is written to
--- audit.jsonl before it runs, with who typed it.

local json = require "exhost.json"
local loop = require "exhost.loop"
local server = require "exhost.server"
local session = require "exhost.repl.session"
local text = require "exhost.text"

local remote = { SOCKET = "repl.sock", AUDIT = "audit.jsonl" }

local MOST_AUDIT = 16 * 1024 * 1024 -- then it becomes audit.1.jsonl, and that one goes

--- Note what somebody did; nothing is run that cannot be noted.
---@return true? ok, string? err
local function audit(conn, event, code)
  local dir = conn.server.executor.state.dir
  local line = json.encode { time = loop.timestamp(), event = event, uid = conn.uid,
    pid = conn.pid, prompt = conn.prompt.name, text = code and text.clean(code) } .. "\n"
  local done, err = dir:append(remote.AUDIT, line, MOST_AUDIT)
  if done == false then
    dir:rename(remote.AUDIT, dir, "audit.1.jsonl")
    done, err = dir:append(remote.AUDIT, line)
  end
  if done then return true end
  return nil, "it was not run: write " .. remote.AUDIT .. ": " .. tostring(err)
end

local METHODS = {}

--- Run a chunk: {text, quiet?}. What it prints comes before the answer, as `output`.
function METHODS.eval(conn, p)
  if type(p.text) ~= "string" then return nil, "eval: text: expected a string", "invalid" end
  local ok, err = audit(conn, "eval", p.text)
  if not ok then return nil, err, "io" end
  return conn.prompt:eval(p.text, p.quiet)
end

--- What can stand at the end of {text}.
function METHODS.complete(conn, p)
  if type(p.text) ~= "string" then return nil, "complete: text: expected a string", "invalid" end
  local found = conn.prompt:complete(p.text)
  return { insert = found.insert, words = json.array(found.words) }
end

--- Stop the chunk that runs on this connection.
function METHODS.interrupt(conn)
  conn.prompt:interrupt()
  return true
end

local DIALECT = { socket = remote.SOCKET }

function DIALECT.knows(method) return METHODS[method] ~= nil end

function DIALECT.call(conn, method, params)
  if not METHODS[method] then
    return nil, string.format("no method %s at a prompt", text.quote(method)), "invalid"
  end
  return METHODS[method](conn, type(params) == "table" and params or {})
end

function DIALECT.opened(conn)
  conn.prompt = session.new(conn.server.executor, { write = function(words)
    conn:send { jsonrpc = "2.0", method = "output", params = { text = text.clean(words) } }
  end })
  audit(conn, "attached")
end

function DIALECT.closed(conn)
  conn.prompt:close()
  audit(conn, "left")
end

--- Listen for prompts in the executor's folder.
---@param executor exhost.Executor
---@param options { log: fun(level: string, message: string)? }
---@return exhost.Server? server, string? err, string? code
function remote.open(executor, options)
  return server.open(executor, { log = options.log, dialect = DIALECT })
end

return remote
