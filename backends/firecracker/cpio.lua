--- Archives for an initramfs, in the one format that kernels read ("newc").

local cpio = {}

local REGULAR, FOLDER, LINK, DEVICE = 0x8000, 0x4000, 0xa000, 0x2000
local ALIGN = 4

local function padding(size)
  return ("\0"):rep(-size % ALIGN)
end

local function entry(number, mode, name, data, device)
  local major, minor = device and device[1] or 0, device and device[2] or 0
  local header = string.format("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
    number, mode, 0, 0, 1, 0, #data, 0, 0, major, minor, #name + 1, 0)
  return header .. name .. "\0" .. padding(#header + #name + 1) .. data .. padding(#data)
end

--- Make an archive.
---@param entries table[] { name, data = bytes, mode = 493 } or { name, folder = true },
--- { name, link = target }, { name, device = { major, minor } } in order
---@return string
function cpio.archive(entries)
  local out = {}
  for i, item in ipairs(entries) do
    local kind, data, mode = REGULAR, item.data or "", item.mode or 420
    if item.folder then kind, mode = FOLDER, item.mode or 493 end
    if item.link then kind, data, mode = LINK, item.link, 511 end
    if item.device then kind, mode = DEVICE, item.mode or 384 end
    out[i] = entry(i, kind + mode, item[1], data, item.device)
  end
  out[#out + 1] = entry(0, 0, "TRAILER!!!", "")
  return table.concat(out)
end

--- Put one archive after another, which may be compressed: kernels unpack both.
function cpio.append(first, second)
  return first .. padding(#first) .. second
end

return cpio
