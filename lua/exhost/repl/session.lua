--- A place where Lua is typed: its globals, what is run, shown and stopped. Where the lines
--- come from and the output goes to is its owner's business (cli/repl.lua, repl/remote.lua).

local async = require "exhost.async"
local build = require "exhost.build"
local complete = require "exhost.repl.complete"
local helpers = require "exhost.repl.helpers"
local policies = require "exhost.policy"
local pretty = require "exhost.repl.pretty"
local typed = require "exhost.typed"

local LAST_SECONDS = 60 -- what an interrupted chunk may take to give back what it holds

-- A string in quotes cannot go on in another line, whatever the compiler says.
local function unfinished(err)
  return err:find("near '<eof>'$") ~= nil and not err:find("unfinished string near", 1, true)
end

local session = {}

---@class exhost.Session
---@field executor exhost.Executor
---@field write fun(text: string)
---@field env table
local Session = {}
Session.__index = Session

local function pack(...)
  return { n = select("#", ...), ... }
end

--- Globals that are its own, over those of the host, which stay as they are.
local function environment(self)
  local env = helpers(self)
  env._G = env
  env.print = function(...)
    local words = pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    self.write(table.concat(words, "\t", 1, words.n) .. "\n")
  end
  local exit = function() error("a prompt does not end the host: Ctrl-D leaves it", 2) end
  env.os = setmetatable({ exit = exit }, { __index = os })
  env.io = setmetatable({ write = function(...) self.write(table.concat { ... }) end },
    { __index = io })
  return setmetatable(env, { __index = _G })
end

local count = 0

--- Open a prompt on an executor.
---@param executor exhost.Executor
---@param options { write: fun(text: string), terminal: boolean? } terminal: it is the
--- terminal's own, whose signals stop what runs, even what cannot be given a turn
---@return exhost.Session
function session.new(executor, options)
  async.take_turns(build.share)
  local self = setmetatable({ executor = executor, write = options.write }, Session)
  count = count + 1
  self.name = options.terminal and "prompt" or string.format("prompt %d", count)
  self.prompt = typed.prompt(self.name, options.terminal or false)
  self.env = environment(self)
  return self
end

--- Compile what was typed: an expression, or statements.
---@return function? chunk, string? err, boolean? more it may become one with more lines
local function compile(name, text)
  name = "=" .. name
  local marked = text:match("^%s*=(.*)$")
  local expression = marked or text
  local chunk, err = loadstring("return " .. expression, name)
  -- As arguments: a call at the end of `return` would leave no trace of where it stood.
  if chunk then return loadstring("return (...)(" .. expression .. "\n)", name) or chunk end
  local more = unfinished(err)
  if marked then return nil, err, more end
  local statements, why = loadstring(text, name)
  if statements then return statements end
  local more_of_it = unfinished(why)
  if more and not more_of_it then return nil, err, true end
  return nil, why, more_of_it
end

local function same(...) return ... end

--- Whether more lines are wanted before it can be run.
---@param text string
---@return boolean
function session.incomplete(text)
  local chunk, _, more = compile("prompt", text)
  return not chunk and more == true
end

--- The part of a traceback that is not ours.
local function trace(message)
  local text = debug.traceback(tostring(message), 3)
  return (text:gsub("\n%s*%[C%]: in function 'xpcall'.*$", "")
    :gsub("\n%s*[^\n]*/repl/session%.lua:[^\n]*", "")
    :gsub("\nstack traceback:$", ""))
end

--- values: as xpcall answered.
local function show(self, values)
  while values.n > 2 and values[values.n] == nil do values.n = values.n - 1 end
  for i = 2, values.n do self.write(pretty(values[i]) .. "\n") end
  if values.n > 1 then self.env._ = values[2] end
end

local function run(self, chunk)
  self.prompt:enter(coroutine.running())
  local values = pack(xpcall(function() return chunk(same) end, function(message)
    return type(message) == "table" and pretty(message) or trace(message)
  end))
  self.prompt:leave()
  return values
end

--- Run what was typed and show what it answers. One at a time. Suspends; a caller that is
--- cancelled stops it.
---@param text string
---@param quiet boolean? values are not shown, but for those of `=expr`
---@return true? ok, string? err with a traceback, string? code "invalid": it does not compile
function Session:eval(text, quiet)
  if self.task then return nil, "what was typed before still runs", "already_started" end
  local chunk, err = compile(self.name, text)
  if not chunk then return nil, err, "invalid" end
  setfenv(chunk, self.env)
  local values
  self.task = async.spawn(function() values = run(self, chunk) end)
  local _, _, code = async.join(self.task)
  if code == "cancelled" or code == "timeout" then
    self:interrupt()
    async.shield(LAST_SECONDS, async.join, self.task)
  end
  self.task = nil
  if not values then return nil, "it does not end", "internal" end
  if not values[1] then return nil, values[2], "internal" end
  if not quiet or text:find("^%s*=") then show(self, values) end
  return true
end

--- Stop the chunk that runs: what it waits for answers "cancelled", and its own code raises
--- "interrupted", also in tasks and callbacks that it left behind.
function Session:interrupt()
  self.prompt:interrupt()
  if self.task then async.cancel(self.task) end
end

local ID_TAKERS = { inspect = true, why = true, tail = true }

--- What can stand where the cursor is: complete.lua. Runs no code.
---@param text string what stands before the cursor
---@return { insert: string, words: string[] }
function Session:complete(text)
  return complete(self.env, text, function(call)
    if call == "policy.try" then
      local names = {}
      for _, path in pairs(policies.paths(self.executor.lua_path)) do names[#names + 1] = path end
      return names
    end
    if ID_TAKERS[call] or call:find(":", 1, true) then return self.executor.state:ids() end
  end)
end

--- Stop what runs. What it left behind may go on while it suspends.
function Session:close()
  local task = self.task
  if not task then return self.prompt:close() end
  self:interrupt()
  async.spawn(function()
    async.shield(LAST_SECONDS, async.join, task)
    self.prompt:close()
  end)
end

return session
