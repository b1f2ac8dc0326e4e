---@meta
--- Types of `exhost.dir` (lua/exhost/types.lua has the other modules in C). Nothing requires this.

---@class exhost.dirs
local dirs = {}

---@class exhost.dir a folder held open; `name` is one path component, never followed
local Dir = {}

---@class exhost.fd a descriptor that is closed with the object
local Fd = {}

---@class exhost.stat
---@field kind "file"|"directory"|"link"|"fifo"|"other"
---@field size number bytes
---@field uid number
---@field mode number permission bits
---@field mtime number seconds since 1970
---@field links number

---@param path string absolute
---@param options? { create: boolean, mode: integer, no_follow: boolean, no_links: boolean } mode:
--- default 0700; no_follow: its last part is no symlink; no_links: none of its parts is
---@return exhost.dir?, string?, string?
function dirs.open(path, options) end

--- An unnamed file in memory, positioned at its start.
---@param label string
---@param data string
---@return exhost.fd?, string?, string?
function dirs.memory(label, data) end

--- Own a descriptor number.
---@param number integer
---@return exhost.fd?, string?, string?
function dirs.wrap(number) end

---@return integer number borrowed until the object is closed
function Fd:number() end

---@return integer number the caller's to close
function Fd:take() end

function Fd:close() end

---@param create boolean?
---@return exhost.dir?, string?, string?
function Dir:open(name, create) end

--- True if it is ours and closed to others; else code EACCES.
---@return true?, string?, string?
function Dir:is_private() end

---@return string? number as text, string?, string?
function Dir:inode() end

---@return true?, string?, string?
function Dir:mkdir(name) end

---@return true?, string?, string?
function Dir:mkfifo(name) end

---@return true?, string?, string?
function Dir:unlink(name) end

---@param name string
---@param to_dir exhost.dir
---@param to_name string
---@return true?, string?, string?
function Dir:rename(name, to_dir, to_name) end

--- The same; EEXIST when to_name is taken: of several callers one wins.
---@return true?, string?, string?
function Dir:rename_new(name, to_dir, to_name) end

--- With all that is in it; what is not there is no error.
---@return true?, string?, string?
function Dir:remove_tree(name) end

--- In no order; those of temporary files only with `all`.
---@param all boolean?
---@return string[]?, string?, string?
function Dir:list(all) end

---@return exhost.stat?, string?, string?
function Dir:stat(name) end

--- A whole regular file; EFBIG above max bytes (64 MiB).
---@param max number?
---@return string?, string?, string?
function Dir:read(name, max) end

--- `into` gets those members of the file's JSON object that are plain; false: not all were.
---@return boolean?, string?, string?
function Dir:members(name, keys, into) end

---@param offset number negative: from the end
---@param len number
---@return string?, string?, string?
function Dir:read_at(name, offset, len) end

--- Replace the file: readers see the old or the new content, and nothing between.
---@return true?, string?, string?
function Dir:write(name, data) end

--- Make the file where nobody looks yet: not atomic. EEXIST.
---@return true?, string?, string?
function Dir:create(name, data) end

--- Make the file whole, or EEXIST: of several writers one wins.
---@return true?, string?, string?
function Dir:link_once(name, data) end

--- The same, and it is on the disk with its name. Off the loop; the folder may be closed
--- meanwhile.
---@param done fun(ok: true?, message: string?, code: string?)
---@return true?, string?, string? queued
function Dir:link_synced(name, data, done) end

--- Regular files below the folder, and then the folder's own entries, are on the disk. Off
--- the loop; the folder may be closed meanwhile.
---@param names string[]
---@param done fun(ok: true?, message: string?, code: string?)
---@return true?, string?, string? queued
function Dir:sync(names, done) end

--- One write at the end; false when the file would pass `limit` bytes (0: none).
---@param limit number?
---@return boolean?, string?, string?
function Dir:append(name, data, limit) end

--- At most 4096 bytes, at once: ENXIO when nobody reads, EAGAIN when it is full.
---@return true?, string?, string?
function Dir:fifo_write(name, data) end

--- The exclusive lock of a file (made unless `existing`); its close() releases it. EAGAIN
--- when another has it, ENOENT when the folder went.
---@param existing boolean?
---@return exhost.fd?, string?, string?
function Dir:lock(name, existing) end

--- A socket's file, for /proc/self/fd: never by a link. ENOTSOCK when it is anything else.
---@return exhost.fd?, string?, string?
function Dir:socket(name) end

--- A regular file, for reading: never by a link. EINVAL when it is anything else.
---@return exhost.fd?, string?, string?
function Dir:file(name) end

---@return integer number borrowed until the folder is closed
function Dir:fd() end

function Dir:close() end
