--- exhost plan: what `start` would do; touches nothing.

local diff = require "exhost.diff"
local request = require "exhost.cli.request"
local served = require "exhost.cli.served"

local options = { { "--diff", key = "diff", value = "REQUEST",
  help = "print where the plan for this request (JSON) differs" } }
for i, option in ipairs(request.OPTIONS) do options[i + 1] = option end

--- Plan the other request under the same ids, and print what differs.
local function compare(ctx, ex, plan, path)
  local other, err, code = request.build({ file = path, backend = plan.backend,
    id = plan.execution_id }, {})
  if not other then return ctx:fail(err, code) end
  other.job_id, other.execution_id = plan.job_id, plan.execution_id
  local second, why, kind, data = served.plan(ex, ctx.options, other)
  if not second then return ctx:fail(path .. ": " .. why, kind, data) end
  local changes = diff.compare(diff.leaves(plan), diff.leaves(second))
  if ctx.json then return ctx:print_json(changes) end
  for _, change in ipairs(changes) do ctx:print(diff.line(change)) end
  return 0
end

return {
  usage = "plan [OPTIONS] [--] ARGV…",
  summary = "print what would be run, without running it",
  options = options,
  stop_at_word = true,
  run = function(ctx, given)
    local asked, err, code = request.build(given, given)
    if not asked then return ctx:fail(err, code) end
    return ctx:with_executor(function(ex)
      local plan, why, kind, data = served.plan(ex, given, asked)
      if not plan then return ctx:fail(why, kind, data) end
      if given.diff then return compare(ctx, ex, plan, given.diff) end
      return ctx:print_json(plan)
    end)
  end,
}
