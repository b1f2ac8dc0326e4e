--- Small tar archives (POSIX ustar), which the engine takes files by.

local tar = {}

local BLOCK, MOST_NAME = 512, 99

local function field(value, size)
  return value .. ("\0"):rep(size - #value)
end

local function octal(number, size)
  return string.format("%0" .. size - 1 .. "o\0", number)
end

local function header(entry, size)
  local kind = entry.directory and "5" or "0"
  local head = field(entry.name, 100) .. octal(entry.mode or 420, 8) .. octal(entry.uid or 0, 8)
    .. octal(entry.gid or 0, 8) .. octal(size, 12) .. octal(entry.mtime or 0, 12)
    .. (" "):rep(8) .. kind .. ("\0"):rep(100) .. "ustar\0" .. "00" .. ("\0"):rep(64)
    .. octal(0, 8) .. octal(0, 8)
  head = field(head, BLOCK)
  local sum = 0
  for i = 1, BLOCK do sum = sum + head:byte(i) end
  return head:sub(1, 148) .. string.format("%06o\0 ", sum) .. head:sub(157)
end

---@class exhost.TarEntry
---@field name string without a leading slash; a folder's ends in one
---@field content string?
---@field directory boolean?
---@field mode integer? default 0644
---@field uid integer?
---@field gid integer?

--- Make an archive.
---@param entries exhost.TarEntry[]
---@return string? archive, string? err
function tar.make(entries)
  local out = {}
  for _, entry in ipairs(entries) do
    if #entry.name > MOST_NAME then
      return nil, string.format("the path %s is longer than %d bytes", entry.name, MOST_NAME)
    end
    local content = entry.content or ""
    out[#out + 1] = header(entry, #content)
    out[#out + 1] = content .. ("\0"):rep(-#content % BLOCK)
  end
  out[#out + 1] = ("\0"):rep(2 * BLOCK)
  return table.concat(out)
end

--- The content of the first regular file of an archive.
---@param archive string
---@return string?
function tar.first_file(archive)
  local at = 1
  while at + BLOCK <= #archive do
    local kind = archive:sub(at + 156, at + 156)
    local size = tonumber((archive:sub(at + 124, at + 134):match("%d+")) or "", 8)
    if not size then return nil end
    if kind == "0" or kind == "\0" then return archive:sub(at + BLOCK, at + BLOCK + size - 1) end
    at = at + BLOCK + math.ceil(size / BLOCK) * BLOCK
  end
end

return tar
