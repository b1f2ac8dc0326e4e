--- exhost stats: what running executions use.

local json = require "exhost.json"
local units = require "exhost.units"

local function line(id, s)
  return { id, string.format("%.1f%%", s.cpu_usage.percent),
    units.format_duration(s.cpu_usage.total_usage / 1e9),
    units.format_size(s.memory.usage) .. " / " .. units.format_size(s.memory.limit),
    units.format_size(s.block_io.read_bytes) .. " / " .. units.format_size(s.block_io.write_bytes),
    units.format_size(s.network.rx_bytes) .. " / " .. units.format_size(s.network.tx_bytes),
    s.pids and tostring(s.pids) or "-" }
end

local function running(ex)
  local ids = {}
  for _, entry in ipairs(ex:list() or {}) do
    if entry.running then ids[#ids + 1] = entry.execution_id end
  end
  return ids
end

return {
  usage = "stats [ID…]",
  summary = "show what running executions use",
  options = {},
  run = function(ctx, options)
    return ctx:with_executor(function(ex)
      local rows, all, status = {}, {}, 0
      rows[1] = { "EXECUTION", "CPU", "CPU TIME", "MEMORY / LIMIT", "READ / WRITTEN", "NET RX / TX",
        "PIDS" }
      for _, id in ipairs(options[1] and options or running(ex)) do
        local stats, err, code = ex:stats(id)
        if stats then
          stats.execution_id = id
          rows[#rows + 1], all[#all + 1] = line(id, stats), stats
        else
          status = ctx:fail(err, code)
        end
      end
      if ctx.json then
        ctx:print_json(json.array(all))
      else
        ctx:print_table(rows)
      end
      return status
    end)
  end,
}
