--- exhost plan: what `start` would do; touches nothing.

local diff = require "exhost.diff"
local json = require "exhost.json"
local request = require "exhost.cli.request"
local served = require "exhost.cli.served"
local sorted_keys = require "exhost.sorted_keys"

local options = { { "--diff", key = "diff", value = "REQUEST",
  help = "print where the plan for this request (JSON) differs" } }
for i, option in ipairs(request.OPTIONS) do options[i + 1] = option end

local function leaves(plan)
  local origin = plan.origin
  plan.origin = nil -- tells of what differs already
  local found = diff.leaves(plan)
  plan.origin = origin
  return found
end

--- Plan the other request under the same ids, and print what differs.
local function compare(ctx, ex, plan, path)
  local other, err, code = request.build({ file = path, backend = plan.backend,
    id = plan.execution_id }, {})
  if not other then return ctx:fail(err, code) end
  other.job_id, other.execution_id = plan.job_id, plan.execution_id
  local second, why, kind, data = served.plan(ex, ctx.options, other)
  if not second then return ctx:fail(path .. ": " .. why, kind, data) end
  local changes = diff.compare(leaves(plan), leaves(second))
  if ctx.json then return ctx:print_json(changes) end
  for _, change in ipairs(changes) do ctx:print(diff.line(change)) end
  return 0
end

--- The value of a field such as HostConfig.Memory, or of a variable such as Env.NAME.
local function value_at(body, field)
  local outer, inner = field:match("^([^.]+)%.(.+)$")
  if not outer then return body[field] end
  local value = body[outer]
  if value[1] == nil then return value[inner] end
  for _, entry in ipairs(value) do
    if entry:match("^[^=]*") == inner then return entry end
  end
end

--- A line for each field: its value, and where that comes from.
local function print_body(ctx, plan)
  local body = plan.sent and plan.body[plan.sent] or plan.body
  local fields, width = sorted_keys(plan.origin), 0
  for _, field in ipairs(fields) do width = math.max(width, #field) end
  for _, field in ipairs(fields) do
    ctx:print(string.format("%-" .. width .. "s  %s  ← %s", field,
      json.encode(value_at(body, field)), table.concat(plan.origin[field], ", ")))
  end
end

local function print_plan(ctx, plan)
  if not plan.origin then return ctx:print_json(plan) end -- a backend that does not tell
  ctx:print(string.format("%s execution %s of job %s", plan.backend, plan.execution_id,
    plan.job_id))
  print_body(ctx, plan)
  for _, policy in ipairs(plan.body.policies or {}) do
    ctx:print(string.format("policy %s, version %s", policy.name, policy.version))
  end
  for _, warning in ipairs(plan.warnings) do ctx:print("warning: " .. warning) end
  return 0
end

return {
  usage = "plan [OPTIONS] [--] ARGV…",
  summary = "print what would be run and where each field comes from, without running it",
  options = options,
  stop_at_word = true,
  run = function(ctx, given)
    local asked, err, code = request.build(given, given)
    if not asked then return ctx:fail(err, code) end
    return ctx:with_executor(function(ex)
      local plan, why, kind, data = served.plan(ex, given, asked)
      if not plan then return ctx:fail(why, kind, data) end
      if given.diff then return compare(ctx, ex, plan, given.diff) end
      if ctx.json then return ctx:print_json(plan) end
      return print_plan(ctx, plan)
    end)
  end,
}
