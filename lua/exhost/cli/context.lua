--- What every command needs: the executor, output, errors, exit statuses.

local config = require "exhost.config"
local json = require "exhost.json"
local loop = require "exhost.loop"
local system = require "exhost.system"

local context = {}

---@class exhost.Context
local Context = {}
Context.__index = Context

local ENOENT, ENOTDIR = 2, 20
local DEFAULT_CONFIG = "/etc/exhost/config.lua"
local FAILURE, USAGE = 1, 2

--- A context for parsed global options.
function context.new(options)
  return setmetatable({ options = options, json = options.json }, Context)
end

--- Take the options of the whole line.
function Context:configure(options)
  self.options, self.json = options, options.json
end

--- Write to stdout. A reader that went away is no error of ours.
function Context:out(text)
  system.write(1, text)
end

--- A line on stdout.
function Context:print(text)
  self:out(text .. "\n")
end

--- Rows of cells, in columns; on a terminal cut to its width. `paint(row, line)` may
--- color a line there.
---@param rows string[][] the first is the heading
function Context:print_table(rows, paint)
  local columns = system.terminal(1)
  local lines = require("exhost.listing").lines(rows)
  for r, line in ipairs(columns and lines or {}) do
    if columns > 0 and #line > columns then line = line:sub(1, columns) end
    if paint and r > 1 and not os.getenv("NO_COLOR") then line = paint(r, line) end
    lines[r] = line
  end
  self:out(table.concat(lines, "\n") .. "\n")
end

--- One JSON value on stdout.
function Context:print_json(value)
  local text, err = json.encode(value, { indent = true })
  if not text then return self:fail(err, "internal") end
  self:out(text .. "\n")
  return 0
end

--- An error on stderr, as text or as {"error":{code,message,data}}.
function Context:error(message, code, data)
  if self.json then
    local text = json.encode {
      error = { code = code or "internal", message = message, data = data },
    }
    system.write(2, (text or "{}") .. "\n")
  else
    system.write(2, "exhost: " .. message .. "\n")
  end
end

--- Report a failure; answers the exit status.
---@param status integer? default 1
function Context:fail(message, code, data, status)
  self:error(tostring(message), code, data)
  return status or FAILURE
end

--- Report a command line that is wrong; answers the exit status, default 2.
function Context:usage(message, status)
  self:error(message, "invalid")
  return status or USAGE
end

local function load_settings(path)
  local file, err, errno = io.open(path or DEFAULT_CONFIG, "r")
  if not file then
    if not path and (errno == ENOENT or errno == ENOTDIR) then return {} end
    return nil, "read settings: " .. err, "io" -- limits that cannot be read are not left out
  end
  local text
  text, err = file:read("*a")
  file:close()
  if not text then
    return nil, string.format("read settings: %s: %s", path or DEFAULT_CONFIG, err), "io"
  end
  return config.load(text, path or DEFAULT_CONFIG)
end

--- Make a path absolute, from where the command was started.
function context.absolute(path)
  if path:sub(1, 1) == "/" then return path end
  return (system.cwd() or "") .. "/" .. path
end

--- Open the executor that the options name.
---@return exhost.Executor? executor, string? err, string? code
function Context:open()
  local options = self.options
  local settings, err, code = load_settings(options.config)
  if not settings then return nil, err, code end
  return require("exhost.executor").open {
    id = options.executor, state_dir = options.state_dir and context.absolute(options.state_dir),
    backend = options.backend, settings = settings,
    lua_path = options.lua_path and (options.lua_path:gsub("[^:]+", context.absolute)),
  }
end

--- Open, call fn(executor), close; errors of opening are reported, and so is one that fn
--- raises: what the executor holds would keep the command from ending. Suspends.
---@return integer status
function Context:with_executor(fn, failure)
  local ex, err, code = self:open()
  if not ex then return self:fail(err, code, nil, failure) end
  local ok, status = xpcall(fn, debug.traceback, ex)
  ex:close()
  loop.on_interrupt(nil)
  if ok then return status end
  return self:fail("internal error: " .. tostring(status), "internal", nil, failure)
end

--- Apply fn to every id given; all are tried. With --json what it answers (true: the id) is
--- printed as one value, a list for several ids; else show(value, id) is called, if any.
--- Suspends.
---@param words string[] ids
---@param fn fun(ex, id): any, string?, string?, table?
---@param show? fun(value, id: string)
---@return integer status
function Context:for_each_id(words, fn, show)
  if #words == 0 then return self:usage("expected an execution id") end
  return self:with_executor(function(ex)
    local status, values = 0, json.array {}
    for _, id in ipairs(words) do
      local value, err, code, data = fn(ex, id)
      if not value then
        status = self:fail(err, code, data)
      elseif self.json then
        values[#values + 1] = value == true and { execution_id = id } or value
      elseif show then
        show(value, id)
      end
    end
    if #values > 0 then self:print_json(#words == 1 and values[1] or values) end
    return status
  end)
end

--- The exit status that a result stands for.
---@return integer
function context.exit_status(result)
  if result.reason == "timeout" then return 124 end
  if result.exit_code and result.exit_code >= 0 then return result.exit_code % 256 end
  return 125
end

local EXEC_STATUS = { ENOENT = 127, ENOTDIR = 127, EACCES = 126, ENOEXEC = 126, EISDIR = 126,
  ELOOP = 126, ETXTBSY = 126, EPERM = 126, E2BIG = 126 }

--- The exit status for a start that failed.
function context.start_status(data)
  return data and data.step == "exec" and EXEC_STATUS[data.name] or 125
end

return context
