--- Files and folders, and waiting for a condition, for the crash specs.

local async = require "exhost.async"
local dirs = require "exhost.dir"
local loop = require "exhost.loop"
local system = require "exhost.system"

local SETTLE_SECONDS = 8

local files = {}

--- A fresh folder below /tmp.
function files.folder(name)
  local path = "/tmp/exhost-" .. (name or "crash") .. "-" .. system.random_hex(6)
  assert(dirs.open(path, { create = true })):close()
  return path
end

function files.remove_folder(path)
  local parent, name = path:match("^(.*)/([^/]+)$")
  local dir = assert(dirs.open(parent))
  dir:remove_tree(name)
  dir:close()
end

function files.read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local content = file:read("*a")
  file:close()
  return content
end

function files.write(path, content)
  local file = assert(io.open(path, "wb"))
  assert(file:write(content))
  assert(file:close())
end

--- Look again until fn answers something, or time is up. Suspends.
function files.eventually(fn, seconds)
  local ends = loop.now() + (seconds or SETTLE_SECONDS)
  while true do
    local value = fn()
    if value or loop.now() > ends then return value end
    async.sleep(0.002)
  end
end

return files
