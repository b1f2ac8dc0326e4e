--- exhost gpus: the GPUs of this machine, and who holds them.

local inventory = require "exhost.inventory"
local json = require "exhost.json"
local ledger = require "exhost.ledger"
local units = require "exhost.units"

local COLUMNS = { "UUID", "PCI", "VENDOR", "MODEL", "VRAM", "DRIVER", "NODES",
  "HEALTH", "HELD BY" }

local function row(gpu)
  local nodes = {}
  for i, node in ipairs(gpu.nodes) do nodes[i] = node:match("[^/]+$") end
  return { gpu.uuid or "-", gpu.pci_address or "-",
    gpu.vendor or string.format("0x%04x", gpu.pci_vendor), gpu.model or "-",
    gpu.vram and units.format_size(gpu.vram) or "-", gpu.driver or "none",
    #nodes > 0 and table.concat(nodes, " ") or "-", gpu.health, gpu.held_by or "-" }
end

return {
  usage = "gpus",
  no_words = true,
  summary = "list GPUs, and which execution holds which",
  options = {},
  run = function(ctx)
    return ctx:with_executor(function(ex)
      local host = inventory.read(ex:policies():list(), ex.settings.inventory)
      local holders = ledger.holders(ex.state)
      local rows = { COLUMNS }
      for i, gpu in ipairs(host.gpus) do
        gpu.held_by = holders[ledger.file_name(gpu)]
        gpu.nodes, gpu.parts = json.array(gpu.nodes), gpu.parts and json.array(gpu.parts)
        rows[i + 1] = row(gpu)
      end
      if ctx.json then
        return ctx:print_json { gpus = json.array(host.gpus), groups = host.groups,
          cdi = json.array(host.cdi) }
      end
      if #host.gpus == 0 then ctx:print("no GPUs") else ctx:print_table(rows) end
      for _, name in ipairs { "render", "video" } do
        local gid = host.groups[name]
        if gid then ctx:print(string.format("group %s: %d", name, gid)) end
      end
      if #host.cdi > 0 then ctx:print("cdi: " .. table.concat(host.cdi, ", ")) end
      return 0
    end)
  end,
}
