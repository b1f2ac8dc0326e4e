--- Made logs: the two files, their index, and a reader whose bytes are collected.

local ffi = require "ffi"
local async = require "exhost.async"
local logread = require "exhost.logread"
local loop = require "exhost.loop"
local system = require "exhost.system"

ffi.cdef "typedef struct { uint64_t time, offset, length; } spec_log_record;"

local logs = {}

logs.START = 1767322800 -- seconds since 1970 of the first record: 2026-01-02T03:00:00Z
local STDERR = ffi.cast("uint64_t", 1) * 2 ^ 32 * 2 ^ 31

--- An index record as bytes.
function logs.record(seconds, stream, offset, length)
  local r = ffi.new("spec_log_record")
  r.time = ffi.cast("uint64_t", seconds * 1e3) * 1000000ULL
  r.offset = ffi.cast("uint64_t", offset) + (stream == "stderr" and STDERR or 0ULL)
  r.length = length
  return ffi.string(r, 24)
end

--- Write logs as a shim would: pieces { stream, bytes } in order, a second apart.
---@param pieces { [1]: string, [2]: string }[]
function logs.write(dir, pieces)
  dir:append("stdout.log", "")
  dir:append("stderr.log", "")
  dir:append("log.idx", "")
  local size = { stdout = dir:stat("stdout.log").size, stderr = dir:stat("stderr.log").size }
  local count = dir:stat("log.idx").size / 24
  for i, piece in ipairs(pieces) do
    local stream, bytes = piece[1], piece[2]
    dir:append(stream .. ".log", bytes)
    dir:append("log.idx", logs.record(logs.START + count + i - 1, stream, size[stream], #bytes))
    size[stream] = size[stream] + #bytes
  end
end

---@class spec.Reading
local Reading = {}
Reading.__index = Reading

--- Open a reader into a pipe. `:read()` takes what is there, `:rest()` waits for the end.
function logs.open(dir, options)
  local self = setmetatable({ got = {} }, Reading)
  local read_end, write_end = logread.pipe()
  local asked = { target = write_end, on_end = function(ok, _, code)
    self.ended, self.code = true, ok and "ok" or code
  end }
  for key, value in pairs(options or {}) do asked[key] = value end
  local err, code
  self.reader, err, code = logread.open(dir, asked.index_dir or dir, asked)
  self.fd = read_end
  if not self.reader then
    system.close(read_end)
    system.close(write_end)
    return nil, err, code
  end
  return self
end

--- Take what is there now.
function Reading:read()
  local bytes = system.read_some(self.fd)
  if bytes and bytes ~= "" then self.got[#self.got + 1] = bytes end
  return bytes
end

function Reading:text()
  return table.concat(self.got)
end

--- Read until so much has come. Suspends.
function Reading:wait_for(text)
  local ends = loop.now() + 20
  while self:text() ~= text do
    if loop.now() > ends then error("got " .. self:text() .. " and not " .. text, 2) end
    if not self:read() then async.sleep(0.001) end
  end
end

--- Read to the end; answers everything, and "ok" or the error's code. Suspends.
function Reading:rest()
  local ends = loop.now() + 20
  repeat
    local bytes = self:read()
    if not bytes then async.sleep(0.001) end
    if loop.now() > ends then error("the stream does not end: " .. self:text(), 2) end
  until bytes == ""
  self:close()
  return self:text(), self.code
end

function Reading:close()
  self.reader:close()
  if self.fd then system.close(self.fd) end
  self.fd = nil
end

--- Read everything. Suspends.
function logs.read(dir, options)
  return assert(logs.open(dir, options)):rest()
end

return logs
