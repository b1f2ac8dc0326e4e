--- What a prompt offers beside Lua: short names for what one asks of a live node.

local async = require "exhost.async"
local lines = require "exhost.lines"
local listing = require "exhost.listing"
local policies = require "exhost.policy"
local story = require "exhost.story"
local system = require "exhost.system"
local worker = require "exhost.policy.worker"

local MOST_LINE = 16 * 1024 * 1024
local TAIL_LINES = 20

local HELP = {
  { "ps {all = true}", "the executions" },
  { "inspect(id)", "what is known of one" },
  { "why(id)", "its story" },
  { "tail(id, lines)", "its output as it comes, until it ends or Ctrl-C" },
  { "plan {…}", "what a request would do: touches nothing" },
  { "policy.list()", "the policies, and what they say of themselves" },
  { "policy.try(file, request)", "the plan, with this file in place of the policy of its name" },
  { "ex", "the executor: ex:start{…} ex:wait(id) ex:cancel(id) …" },
  { "async", "tasks: async.sleep(1), async.spawn(fn)" },
  { "_", "the value that was shown last" },
}

local function help(self)
  local rows = {}
  for i, entry in ipairs(HELP) do rows[i] = { "  " .. entry[1], entry[2] } end
  self.write(table.concat(listing.lines(rows), "\n") .. [[

Expressions are shown; `=expr` is, too. A line that is not complete is continued. Calls that
suspend work as in scripts. Ctrl-C stops what was typed and nothing else. lua/README.md has
the rest.
]])
end

local function ps(self, options)
  local list, err, code = self.executor:list(options)
  if not list then return nil, err, code end
  local rows = { listing.COLUMNS }
  for i, entry in ipairs(list) do rows[i + 1] = listing.row(entry) end
  self.write(table.concat(listing.lines(rows), "\n") .. "\n")
end

local function why(self, id)
  local events, err, code = self.executor:why(id)
  if not events then return nil, err, code end
  self.write(table.concat(story(id, events), "\n") .. "\n")
end

local function tail(self, id, count)
  local stream, err, code = self.executor:get_log_stream(id, {
    follow = true, lines = count or TAIL_LINES })
  if not stream then return nil, err, code end
  local fd = stream:take()
  local _, word, kind = async.await(function(done)
    local reader, why_not, name = lines.open(fd, MOST_LINE, function(line, failure)
      if line then return self.write(line .. "\n") end
      if failure then return done(nil, failure, "io") end
      done(true)
    end)
    if not reader then
      system.close(fd)
      return done(nil, why_not, name)
    end
    return function() reader:close() end
  end)
  stream:close()
  if kind then return nil, word, kind end
end

--- An executor like this one, with the file in place of the policy of its name.
local function with_policy(executor, found)
  local own = policies.new(executor.settings, executor.lua_path)
  own.workers[found.name] = worker.new(found, own.limits)
  return setmetatable({ shared = { policies = own } }, { __index = executor }), own
end

local function try(self, file, request)
  if type(file) ~= "string" or type(request) ~= "table" then
    return nil, "policy.try: expected a file and a request", "invalid"
  end
  if file:sub(1, 1) ~= "/" then file = (system.cwd() or "") .. "/" .. file end
  local found, err = policies.read(file)
  if not found then return nil, err, "denied" end
  local trial, own = with_policy(self.executor, found)
  local plan, why_not, code = trial:plan(request)
  local one = own.workers[found.name]
  for _, line in ipairs(one.printed or {}) do self.write("print: " .. line .. "\n") end
  local asked = one.about ~= nil
  own:close()
  if plan and not asked then
    return nil, string.format("policy.try: backend %s does not ask the policy %s for this request",
      plan.backend, found.name), "unsupported"
  end
  return plan, why_not, code
end

--- Names for the globals of a prompt.
---@param self exhost.Session
---@return table
return function(self)
  local ex = self.executor
  return {
    ex = ex, async = async,
    help = function() return help(self) end,
    ps = function(options) return ps(self, options) end,
    inspect = function(id) return ex:info(id) end,
    why = function(id) return why(self, id) end,
    tail = function(id, count) return tail(self, id, count) end,
    plan = function(request) return ex:plan(request) end,
    policy = {
      list = function() return ex:policies():list() end,
      try = function(file, request) return try(self, file, request) end,
    },
  }
end
