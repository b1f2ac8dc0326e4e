--- Images of ext4 file systems, by the programs of e2fsprogs: made from a folder and read, without
--- a mount, so without root.

local capture = require "exhost.capture"

local ext4 = {}

local FOLDERS = { "/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin" }
local PACKAGES = { du = "coreutils", cp = "coreutils", prlimit = "util-linux" }
local SECONDS = 3600      -- for gigabytes on a slow disk; who waits may leave earlier
local BLOCK, INODE = 4096, 256
local SPARE = 4 * 1024 * 1024
local SPARE_INODES = 32   -- of which the file system keeps 11 for itself
local LIST_MAX = 16 * 1024 * 1024
local LEAST_PRINTED = 64 * 1024 -- it repeats its commands
-- What every kernel that boots here can mount; a journal would only be in the way of a reader.
local FEATURES = "none,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,"
  .. "huge_file,dir_nlink,extra_isize"
local DIR, IMAGES = 5, 6  -- descriptors that the programs get: paths can be changed below them
local SOURCE = 6          -- of a copy

--- Where a program is; code `unavailable`.
---@param name "mke2fs"|"debugfs"|"du"|"cp"|"prlimit"
---@return string? path, string? err, string? code
function ext4.program(name)
  for _, folder in ipairs(FOLDERS) do
    local file = io.open(folder .. "/" .. name, "rb")
    if file then
      file:close()
      return folder .. "/" .. name
    end
  end
  local package = PACKAGES[name] or "e2fsprogs"
  return nil, string.format("%s is not there: install %s", name, package), "unavailable"
end

local function run(name, argv, options)
  local path, err, code = ext4.program(name)
  if not path then return nil, err, code end
  table.insert(argv, 1, path)
  for i, word in ipairs(options.before or {}) do table.insert(argv, i, word) end
  options.seconds, options.env = options.seconds or SECONDS, { "LC_ALL=C", "PATH=/usr/bin:/bin" }
  local text, why, printed = capture.run(argv, options)
  if text then return text end
  local words = (printed or ""):gsub("%s+", " "):sub(1, 300)
  if why == "timeout" or why == "cancelled" then return nil, name .. ": " .. why, why end
  return nil, string.format("%s: %s%s", name, why, words ~= "" and ": " .. words or ""), "io"
end

--- What a folder holds. Suspends.
---@param source exhost.dir
---@return table? { bytes: number, inodes: number }, string? err, string? code
function ext4.measure(source)
  local function ask(what)
    local text, err, code = run("du", { "-s", what, "/proc/self/fd/" .. DIR .. "/" },
      { fds = { [DIR] = source:fd() }, errors = true })
    local number = text and tonumber(text:match("^(%d+)"))
    if not number then return nil, err or "du answered " .. tostring(text), code or "io" end
    return number
  end
  local bytes, err, code = ask "--bytes"
  local inodes
  if bytes then inodes, err, code = ask "--inodes" end
  if not inodes then return nil, err, code end
  return { bytes = bytes, inodes = inodes }
end

--- Bytes of an image that holds that much.
function ext4.size(measured)
  local inodes = measured.inodes + SPARE_INODES
  local bytes = (measured.bytes + inodes * (BLOCK + INODE)) * 1.02 + SPARE
  return math.ceil(bytes / SPARE) * SPARE
end

--- Make an image. Suspends.
---@param where exhost.dir the folder that it comes to lie in
---@param name string
---@param bytes number its size; a file with holes, it takes what is in it
---@param options { source: exhost.dir?, inodes: number?, journal: boolean?, before: string[]? }
--- source: what is in it; before: words before the program's own
---@return true? ok, string? err, string? code
function ext4.make(where, name, bytes, options)
  local argv = { "-q", "-F", "-t", "ext4", "-b", tostring(BLOCK), "-m", "0", "-I", tostring(INODE),
    "-O", FEATURES .. (options.journal and ",has_journal" or ""),
    "-E", "root_owner=0:0" }
  local function add(...)
    for _, word in ipairs { ... } do argv[#argv + 1] = word end
  end
  local fds = { [IMAGES] = where:fd() }
  if options.inodes then add("-N", string.format("%.0f", options.inodes + SPARE_INODES)) end
  if options.source then
    add("-d", "/proc/self/fd/" .. DIR)
    fds[DIR] = options.source:fd()
  end
  add(string.format("/proc/self/fd/%d/%s", IMAGES, name), string.format("%.0fk", bytes / 1024))
  local ok, err, code = run("mke2fs", argv, { fds = fds, errors = true, before = options.before })
  if not ok then return nil, err, code end
  return true
end

--- Copy one file of the host into a folder; a signal ends it at `most` bytes. Suspends.
---@param source string|exhost.fd an absolute path, or the file itself
---@param most number? nil: no limit
---@return true? ok, string? err, string? code
function ext4.copy(source, where, name, most)
  local before
  if most then
    local prlimit, why, kind = ext4.program("prlimit")
    if not prlimit then return nil, why, kind end
    before = { prlimit, string.format("--fsize=%.0f", most) }
  end
  local fds = { [DIR] = where:fd() }
  if type(source) ~= "string" then
    fds[SOURCE] = source:number()
    source = "/proc/self/fd/" .. SOURCE
  end
  local ok, err, code = run("cp", { "--reflink=auto", "--sparse=auto", "--preserve=mode,timestamps",
    "--", source, string.format("/proc/self/fd/%d/%s", DIR, name) },
    { fds = fds, errors = true, before = before })
  if not ok then return nil, err, code end
  return true
end

--- Run debugfs on an image that may lie: no file that it writes gets larger than `most` bytes, what
--- it prints (into memory) included. A signal ends it there.
local function debugfs(where, name, commands, most, options)
  local prlimit, err, code = ext4.program("prlimit")
  if not prlimit then return nil, err, code end
  options.before = { prlimit, string.format("--fsize=%.0f", math.max(most, LEAST_PRINTED)) }
  options.fds = options.fds or {}
  options.fds[IMAGES] = where:fd()
  options.input = table.concat(commands, "\n") .. "\n"
  return run("debugfs", { "-f", "-", string.format("/proc/self/fd/%d/%s", IMAGES, name) }, options)
end

--- What folders of an image hold, by their inodes. Suspends.
---@param inodes integer[]
---@return table? entries { inode, mode, name, size, folder = inode }[], string? err, string? code
function ext4.list(where, name, inodes)
  local commands = {}
  for i, inode in ipairs(inodes) do commands[i] = string.format("ls -p <%d>", inode) end
  local text, err, code = debugfs(where, name, commands, LIST_MAX, { max = LIST_MAX })
  if not text then return nil, err, code end
  if #text == LIST_MAX then return nil, "more names than are read", "io" end
  local entries, folder = {}, nil
  for line in text:gmatch("[^\n]*") do
    local inode, mode, entry, size = line:match("^/(%d+)/(%d+)/%d+/%d+/([^/]*)/(%d*)/$")
    folder = tonumber(line:match("^debugfs: ls %-p <(%d+)>$")) or folder
    if inode and folder then
      entries[#entries + 1] = { inode = tonumber(inode), mode = tonumber(mode, 8), name = entry,
        size = tonumber(size) or 0, folder = folder }
    elseif line:find "^/%d" and folder then
      -- A name with a slash, or the first line of one that has several: nobody's.
      entries[#entries + 1] = { inode = 1, mode = 0, name = "/", size = 0, folder = folder }
    end
  end
  return entries
end

--- Write files of an image into a folder, named by their numbers in the list. Suspends.
---@param inodes integer[]
---@param target exhost.dir where nobody else writes
---@param from integer number of the first
---@param most number bytes of the largest, as the image tells it
---@return true? ok, string? err, string? code
function ext4.dump(where, name, inodes, target, from, most)
  local commands = {}
  for i, inode in ipairs(inodes) do
    commands[i] = string.format("dump <%d> /proc/self/fd/%d/%d", inode, DIR, from + i - 1)
  end
  local text, err, code = debugfs(where, name, commands, most, { fds = { [DIR] = target:fd() } })
  if not text then return nil, err, code end
  return true
end

return ext4
