--- exhost policy: list, show and check policies.

local client = require "exhost.client"
local diff = require "exhost.diff"
local json = require "exhost.json"
local lint = require "exhost.policy.lint"
local policy = require "exhost.policy"
local replay = require "exhost.policy.replay"
local served = require "exhost.cli.served"
local worker = require "exhost.policy.worker"
local context = require "exhost.cli.context"

--- What is in force: in the host that serves, if one does and the command does not say otherwise.
local function in_force(ctx, ex)
  local host = not served.is_own(ctx.options) and client.open(ex.state.dir)
  if not host then return ex:policies():list() end
  local all, err, code = host:call("policy_list")
  host:close()
  return all, err, code
end

local function list(ctx, ex)
  local all, err, code = in_force(ctx, ex)
  if not all then return ctx:fail(err, code) end
  if ctx.json then return ctx:print_json(json.array(all)) end
  local rows = { { "POLICY", "VERSION", "VENDOR", "EXAMPLES", "FILE" } }
  for i, one in ipairs(all) do
    local about = one.about or {}
    rows[i + 1] = { one.name, about.version or "broken", about.vendor or "-",
      about.examples and tostring(about.examples) or "-", one.path }
  end
  ctx:print_table(rows)
  local status = 0
  for _, one in ipairs(all) do
    if one.error then status = ctx:fail(one.error, "policy") end
  end
  return status
end

local function show(ctx, _, name)
  local path = policy.paths(ctx.options.lua_path)[name]
  if not path then return ctx:fail("no policy " .. name, "not_found") end
  local found, err = policy.read(path)
  if not found then return ctx:fail(err, "denied") end
  if ctx.json then return ctx:print_json(found) end
  ctx:out(found.source)
  return 0
end

local function print_replay(ctx, report)
  local gone = report.gone > 0
    and string.format(", %d name GPUs that are not here now", report.gone) or ""
  ctx:print(string.format("of %d recorded requests %d would be decided differently%s",
    report.requests, #report.changed, gone))
  for _, one in ipairs(report.changed) do
    for _, change in ipairs(one.changes) do
      ctx:print(string.format("  %s: %s", one.execution_id, diff.line(change)))
    end
  end
end

local function print_lint(ctx, warnings, why)
  for _, line in ipairs(warnings or {}) do ctx:print("lint: " .. line) end
  if not warnings then ctx:print("lint: none: " .. why) end
end

--- Load it, run its examples, tell what luacheck says of it, where there is one, and what it would
--- change for the requests recorded here.
local function check(ctx, ex, path)
  local found, err = policy.read(context.absolute(path))
  if not found then return ctx:fail(err, "denied") end
  local settings = ex.settings
  local one = worker.new(found, { soft = settings.policy_soft, hard = settings.policy_hard })
  local about, why, code = one:load()
  local printed = one.printed or {}
  one:close()
  for _, line in ipairs(printed) do ctx:print("print: " .. line) end
  if not about then return ctx:fail(why, code) end
  local warnings, no_lint = lint(found.source, path)
  local report = replay.run(ex, found)
  if ctx.json then
    about.replay, about.lint = report, warnings and json.array(warnings)
    return ctx:print_json(about)
  end
  ctx:print(string.format("%s %s: %d examples pass", about.name, about.version, about.examples))
  print_lint(ctx, warnings, no_lint)
  print_replay(ctx, report)
  return 0
end

--- In the host that serves: commands read policies anew each time.
local function ask_host(ctx, ex, method, params)
  local host, err, code = client.open(ex.state.dir)
  if not host then
    return ctx:fail("policy: " .. err .. " (without one, commands read policies each time)", code)
  end
  local value, why, kind = host:call(method, params)
  host:close()
  if value == nil then return ctx:fail(why, kind) end
  return nil, value
end

local function reload(ctx, ex)
  local status, changes = ask_host(ctx, ex, "policy_reload")
  if status then return status end
  if ctx.json then return ctx:print_json(json.array(changes)) end
  status = 0
  for _, change in ipairs(changes) do
    if change.error then
      status = ctx:fail(change.name .. ": kept as it was: " .. change.error, "policy")
    else
      ctx:print(string.format("%s: %s -> %s", change.name, change.from or "not loaded", change.to))
    end
  end
  return status
end

local function rollback(ctx, ex, name)
  local status, about = ask_host(ctx, ex, "policy_rollback", { name = name })
  if status then return status end
  if ctx.json then return ctx:print_json(about) end
  ctx:print(string.format("%s: %s", name, about.version))
  return 0
end

local VERBS = { list = { list, 0 }, show = { show, 1 }, check = { check, 1 },
  reload = { reload, 0 }, rollback = { rollback, 1 } }

return {
  usage = "policy list | show NAME | check FILE | reload | rollback NAME",
  summary = "list, show and check policies; reload them in the host that serves",
  options = {},
  run = function(ctx, options)
    local verb = VERBS[options[1] or "list"]
    if not verb or #options > verb[2] + 1 or verb[2] == 1 and not options[2] then
      return ctx:usage("policy: expected list, show NAME, check FILE, reload or rollback NAME")
    end
    return ctx:with_executor(function(ex) return verb[1](ctx, ex, options[2]) end)
  end,
}
