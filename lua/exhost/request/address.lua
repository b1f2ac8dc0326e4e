--- Addresses in a request: of the network, and of the PCI bus.
local address = {}

--- Read four numbers with points; no other spelling of IPv4 is meant.
local function is_v4(source)
  local parts = { source:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$") }
  if #parts == 0 then return false end
  for _, part in ipairs(parts) do
    if #part > 3 or tonumber(part) > 255 or part:find("^0%d") then return false end
  end
  return true
end

--- Count the 16-bit groups of one side of "::"; an IPv4 address at the end is two.
local function count_groups(side, may_end_v4)
  if side == "" then return 0 end
  local last = side:match("[^:]*$")
  if may_end_v4 and is_v4(last) then side = side:sub(1, -#last - 1) .. "0:0" end
  local count = 0
  for group in (side .. ":"):gmatch("([^:]*):") do
    if not group:find("^%x%x?%x?%x?$") then return nil end
    count = count + 1
  end
  return count
end

local function is_v6(source)
  local head, tail = source:match("^(.-)::(.*)$")
  if not head then return count_groups(source, true) == 8 end
  if tail:find("::", 1, true) then return false end
  local before, after = count_groups(head, false), count_groups(tail, true)
  return before ~= nil and after ~= nil and before + after <= 7
end

--- Check an IP address; `[::1]` becomes `::1`.
---@param source string
---@return string? ip, string? err
function address.ip(source)
  local bare = source:match("^%[(.*)%]$")
  if is_v6(bare or source) then return bare or source end
  if not bare and is_v4(source) then return source end
  return nil, string.format("expected an IP address, got %q", source:sub(1, 64))
end

--- The groups of one side of "::", each without leading zeros.
local function groups_of(side)
  local a, b, c, d = side:match("(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if a then
    side = side:gsub("[%d.]+$", string.format("%x:%x", a * 256 + b, c * 256 + d))
  end
  local groups = {}
  for group in side:gmatch("%x+") do
    groups[#groups + 1] = string.format("%x", tonumber(group, 16))
  end
  return groups
end

--- Spell an IP address that has been checked one way, so that two can be compared.
---@param ip string
---@return string
function address.canonical(ip)
  if not ip:find(":", 1, true) then return ip end
  local head, tail = ip:match("^(.-)::(.*)$")
  local groups, after = groups_of(head or ip), groups_of(tail or "")
  for _ = #groups + 1, 8 - #after do groups[#groups + 1] = "0" end
  for _, group in ipairs(after) do groups[#groups + 1] = group end
  return table.concat(groups, ":")
end

--- Spell a PCI address one way: "00000000:0B:00.0" and "0b:00.0" become "0000:0b:00.0".
---@param source string
---@return string? pci_address, string? err
function address.pci(source)
  local bare = source:match("^%s*(.-)[%s%z]*$")
  local domain, bus, device, fn = bare:match("^(%x+):(%x%x):(%x%x)%.([0-7])$")
  if not domain then
    domain = "0"
    bus, device, fn = bare:match("^(%x%x):(%x%x)%.([0-7])$")
  end
  if not bus or #domain > 8 or tonumber(device, 16) > 31 then
    return nil, string.format("expected a PCI address such as 0000:0b:00.0, got %q",
      source:sub(1, 64))
  end
  return string.format("%04x:%s:%s.%s", tonumber(domain, 16), bus:lower(), device:lower(), fn)
end

return address
