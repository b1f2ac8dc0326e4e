--- Checks of a request's fields that a type alone cannot say.

local signals = require "exhost.signals"

local checks = {}

local LEAST_RAM = 6 * 1024 * 1024 -- what the engines take at least

function checks.ram(value, warnings, path)
  if value > 0 and value < LEAST_RAM then
    warnings[#warnings + 1] = string.format(
      "%s: %.0f bytes is below 6 MiB and not enforced", path, value)
  end
  return value
end

function checks.positive(value)
  if value <= 0 then return nil, "expected a time above 0" end
  return value
end

function checks.signal(value)
  if type(value) ~= "string" and type(value) ~= "number" then
    return nil, "expected a signal's name or number"
  end
  return signals.number(value)
end

--- Each id stands for the other where one is missing.
function checks.ids(value)
  value.job_id = value.job_id or value.execution_id
  value.execution_id = value.execution_id or value.job_id
  if not value.job_id then return nil, "@job_id: is required" end
  return value
end

function checks.results_dir(value)
  for part in value:gmatch("[^/]+") do
    if part == ".." or part == "." then
      return nil, string.format("must not contain %q", part)
    end
  end
  return value
end

--- Script names become file names; a script's CRLF line ends would make its interpreter
--- "not found".
function checks.scripts(scripts, _, path)
  local out = {}
  for name, content in pairs(scripts) do
    if not name:find("^[A-Za-z0-9_][A-Za-z0-9_.-]*$") or #name > 128 then
      return nil, string.format(
        "@%s: %q is not a script name: expected letters, digits, _ . - and no /", path, name)
    end
    if content == "" then return nil, string.format("@%s.%s: is empty", path, name) end
    if content:find("\0", 1, true) then
      return nil, string.format("@%s.%s: must not contain a NUL byte", path, name)
    end
    out[name] = content:gsub("\r\n", "\n")
  end
  return out
end

--- The kernel's spelling of a PCI address: dddd:bb:dd.f in lower case. Tools pad the domain
--- to 8 digits, leave it out, or pad the text with NULs.
function checks.pci_address(value)
  local text = value:gsub("%z+$", ""):lower()
  local domain, bus, device, fn = text:match("^(%x+):(%x%x?):(%x%x?)%.(%x)$")
  if not domain then
    domain, bus, device, fn = "0", text:match("^(%x%x?):(%x%x?)%.(%x)$")
  end
  local number = bus and tonumber(domain, 16)
  if not number or #domain > 8 or tonumber(device, 16) > 31 or tonumber(fn, 16) > 7 then
    return nil, string.format("%q is not a PCI address such as 0000:0b:00.0", value)
  end
  return string.format("%04x:%02x:%02x.%x", number, tonumber(bus, 16), tonumber(device, 16),
    tonumber(fn, 16))
end

function checks.gpu(value, warnings, path)
  if value.uuid == "" then value.uuid = nil end
  if not value.uuid and not value.pci_address then
    return nil, "expected a uuid or a pci_address (an index names no device)"
  end
  if value.index then
    warnings[#warnings + 1] = path .. ".index: ignored, GPUs are known by uuid or pci_address"
  end
  return value
end

local function is_ipv4(text)
  local count = 0
  for part in (text .. "."):gmatch("([^.]*)%.") do
    if not part:find("^%d%d?%d?$") or tonumber(part) > 255 or part:find("^0%d") then
      return false
    end
    count = count + 1
  end
  return count == 4
end

--- Groups on one side of a "::"; nil when one is malformed.
local function ipv6_groups(text)
  if text == "" then return 0 end
  local count = 0
  local rest, last = text:match("^(.*:)([%d.]+)$")
  if last and last:find(".", 1, true) then
    if not is_ipv4(last) then return nil end
    count, text = 2, rest:sub(1, -2)
  end
  for part in (text .. ":"):gmatch("([^:]*):") do
    if not part:find("^%x%x?%x?%x?$") then return nil end
    count = count + 1
  end
  return count
end

local function is_ipv6(text)
  local left, right = text:match("^(.-)::(.*)$")
  if not left then return ipv6_groups(text) == 8 end
  local a, b = ipv6_groups(left), ipv6_groups(right)
  return a ~= nil and b ~= nil and a + b <= 7 and not right:find("::", 1, true)
end

--- An address as it is; IPv6 also in brackets.
function checks.ip(value)
  local text = value:match("^%[(.*)%]$")
  if text and is_ipv6(text) then return text end
  if is_ipv4(value) or is_ipv6(value) then return value end
  return nil, string.format("%q is not an IPv4 or IPv6 address", value)
end

function checks.optional_ip(value)
  if value == "" then return value end
  return checks.ip(value)
end

return checks
