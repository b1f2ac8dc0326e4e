--- An execution's story: events.jsonl, one JSON object a line, bounded.

local async = require "exhost.async"
local json = require "exhost.json"
local loop = require "exhost.loop"
local system = require "exhost.system"

local events = {}

events.FILE = "events.jsonl"
local MAX_READ = 16 * 1024 * 1024

--- Append an event. A full or broken file never fails what it tells of.
---@param dir any the execution's folder
---@param kind string
---@param fields table?
---@param limit integer? bytes of the file
function events.add(dir, kind, fields, limit)
  local record = { at = loop.timestamp(), event = kind }
  for key, value in pairs(fields or {}) do record[key] = value end
  local line = json.encode(record)
  if line then dir:append(events.FILE, line .. "\n", limit or 256 * 1024) end
end

--- Who is asking: goes into the events of cancel, signal and remove.
---@return { uid: integer, pid: integer } actor the peer of the socket that a call came by, else us
function events.actor()
  local peer = async.actor()
  if peer then return { uid = peer.uid, pid = peer.pid } end
  local uid, _, pid = system.ids()
  return { uid = uid, pid = pid }
end

--- Events from the text of a file; a torn last line is left out.
---@return table[]
function events.parse(text)
  local list = {}
  for line in text:gmatch("([^\n]*)\n") do
    local record = json.decode(line)
    if type(record) == "table" then list[#list + 1] = record end
  end
  return list
end

---@return table[]? events, string? err, string? code
function events.read(dir)
  local text, err, code = dir:read(events.FILE, MAX_READ)
  if not text then return nil, err, code end
  return events.parse(text)
end

return events
