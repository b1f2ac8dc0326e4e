--- Outputs after the end: what the guest left on its drives comes into ResultsDir.
--
-- An image is the guest's, so nothing in it is trusted: names are looked at here, files are
-- written under numbers of ours and then renamed below descriptors, links and devices stay out.

local async = require "exhost.async"
local conclude = require "exhost.conclude"
local ext4 = require "backends.firecracker.ext4"
local json = require "exhost.json"

local outputs = {}

local ROOT = 2
local TOLD, MAX_TOLD = ".told", 4096 -- beside the image: what its reading told
local MAX_ENTRIES, MAX_DEPTH, BATCH = 65536, 64, 64
local FOLDER, FILE, KIND = 0x4000, 0x8000, 0x1000
local LOST = "lost+found"
local FILES, TREE = "files", "tree" -- in the staging folder

local function is_name(name)
  return name ~= "" and name ~= "." and name ~= ".." and #name <= 255
    and not name:find("[%c/]")
end

--- Sort an entry of a folder into what was found. A folder that comes twice is a circle.
local function sort_in(found, parent, entry, limit)
  local kind = entry.mode - entry.mode % KIND
  local item = { inode = entry.inode, name = entry.name, parent = parent, size = entry.size }
  local good = parent and is_name(entry.name)
    and #found.files + #found.folders < MAX_ENTRIES
  if good and kind == FOLDER and not found.at[entry.inode] then
    item.files = {}
    found.at[entry.inode] = item
    found.folders[#found.folders + 1] = item
    return entry.inode
  elseif good and kind == FILE and found.bytes + entry.size <= limit then
    found.bytes = found.bytes + entry.size
    found.files[#found.files + 1] = item
    item.number = #found.files
    table.insert(parent.files, item)
  else
    found.skipped = found.skipped + 1
  end
end

--- Names, folders and files of an image, level by level. Suspends.
---@return table? found { folders, files, at, bytes, skipped }, string? err, string? code
local function survey(where, image, limit)
  local root = { inode = ROOT, name = TREE, files = {} }
  local found = { folders = { root }, files = {}, at = { [ROOT] = root }, bytes = 0, skipped = 0 }
  local level, readable = { ROOT }, false
  for _ = 1, MAX_DEPTH do
    if #level == 0 then break end
    local entries, err, code = ext4.list(where, image, level)
    if not entries then return nil, err, code end
    level = {}
    for _, entry in ipairs(entries) do
      local is_lost = entry.folder == ROOT and entry.name == LOST
      readable = readable or entry.name == "."
      if entry.name ~= "." and entry.name ~= ".." and entry.inode ~= 0 and not is_lost then
        level[#level + 1] = sort_in(found, found.at[entry.folder], entry, limit)
      end
    end
  end
  found.skipped = found.skipped + #level
  if not readable then return nil, "its file system cannot be read", "engine" end
  return found
end

--- A folder of the tree, opened from its top; the caller closes it.
local function open_below(staging, item)
  local above = item.parent and open_below(staging, item.parent)
  if item.parent and not above then return nil end
  local dir = (above or staging):open(item.name, true)
  if above then above:close() end
  return dir
end

--- Put dumped files where their names say. A name that comes twice loses. Suspends.
local function arrange(found, files, staging)
  local count = 0
  for _, folder in ipairs(found.folders) do
    local dir = open_below(staging, folder)
    if not dir then found.skipped = found.skipped + 1 + #folder.files end
    for _, item in ipairs(dir and folder.files or {}) do
      local name = tostring(item.number)
      local st = files:stat(name)
      if st and st.kind == "file" and files:rename_new(name, dir, item.name) then
        count = count + 1
      else
        found.skipped = found.skipped + 1
      end
    end
    if dir then dir:close() end
    async.yield()
  end
  return count
end

--- Dump the files, some at a time: sizes are the guest's to tell, so they are counted as they
--- come. Suspends.
local function dump(where, volume, found, files)
  local bytes = 0
  for from = 1, #found.files, BATCH do
    local inodes, most = {}, 0
    for i = from, math.min(from + BATCH - 1, #found.files) do
      inodes[#inodes + 1] = found.files[i].inode
      most = math.max(most, found.files[i].size)
    end
    local ok, err, code = ext4.dump(where, volume.image, inodes, files, from, most)
    if not ok then return nil, err, code end
    for i = from, from + #inodes - 1 do
      local st = files:stat(tostring(i))
      bytes = bytes + (st and st.size or 0)
    end
    if bytes > volume.size then return nil, "its files are more than it can hold", "engine" end
  end
  found.bytes = bytes
  return true
end

--- A folder that only we can write in, whoever owns the one above: he may be faster than us with
--- a folder of his own there, full of links.
local function private_folder(above, name)
  local dir, err = above:open(name, true)
  if not dir then return nil, err end
  local ok, why = dir:is_private()
  if ok then return dir end
  dir:close()
  return nil, string.format("%s in results_dir is not ours alone: %s", name, tostring(why))
end

--- Read one image into a folder of ours. Suspends.
---@return table? told { files, bytes, skipped }, string? err, string? code
local function read_image(where, volume, staging)
  local found, err, code = survey(where, volume.image, volume.size)
  if not found then return nil, err, code end
  local files, ok, count
  files, err = private_folder(staging, FILES)
  if not files then return nil, err, "io" end
  ok, err, code = dump(where, volume, found, files)
  if ok then count = arrange(found, files, staging) end
  files:close()
  if not count then return nil, err, code or "io" end
  return { files = count, bytes = found.bytes,
    skipped = found.skipped > 0 and found.skipped or nil }
end

--- What an earlier pass told, where it got as far as putting the folder into place.
local function told_before(where, volume, results)
  local told = json.decode(where:read(volume.device .. TOLD, MAX_TOLD) or "")
  local there = type(told) == "table" and results:open(volume.name)
  local list = there and there:list(true) or {}
  if there then there:close() end
  return #list > 0 and told or nil
end

--- Read one output into ResultsDir. A host may die anywhere in it, and another one does it again.
local function fetch(where, volume, results, staging_name)
  local told = told_before(where, volume, results)
  if told then return told end
  results:remove_tree(staging_name)
  local staging, err = private_folder(results, staging_name)
  if not staging then return nil, err, "io" end
  local ok, code
  told, err, code = read_image(where, volume, staging)
  if told then
    ok, err = where:write(volume.device .. TOLD, json.encode(told))
    -- An empty folder gives way.
    if ok then ok, err = staging:rename(TREE, results, volume.name) end
    if not ok then told, err = nil, "put it into results_dir: " .. err end
  end
  staging:close()
  results:remove_tree(staging_name)
  return told, err, code
end

--- Read back all outputs of an execution. Suspends.
---@param where exhost.dir the machine's folder
---@return table? evidence by name: files, bytes, skipped, or error; nil: there are none
function outputs.fetch(execution, where)
  local evidence, results, why
  for _, volume in ipairs(execution.plan.volumes or {}) do
    if volume.kind == "output" then
      evidence = evidence or {}
      if not results and not why then
        results, why = conclude.log_dir { record = execution.record, dir = execution.dir }
      end
      local told, err
      if results then
        told, err = fetch(where, volume, results, ".exhost-" .. execution.id)
      end
      evidence[volume.name] = told or { error = tostring(err or why) }
    end
  end
  if results and results ~= execution.dir then results:close() end
  return evidence
end

return outputs
