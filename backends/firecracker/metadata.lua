--- The monitor's metadata service: a document that the guest asks for at 169.254.169.254, by its
--- network interface.

local json = require "exhost.json"
local scalars = require "exhost.schema.scalars"
local text = require "exhost.text"

local metadata = {}

--- In the machine's folder or jail; the relay removes it once the guest runs.
metadata.FILE = "metadata.json"

local MOST = 51200 -- what the monitor takes where it is told nothing else
local INTERFACES = json.array { "eth0" }

--- The document's text. What is JSON already stays as it is: an empty list and a null would be
--- something else if they were written anew.
---@param message table|string params.mmds_message, checked
---@return string? text, string? err
function metadata.text(message)
  if type(message) == "string" and message:find "^%s*{" then return message end
  return json.encode(message)
end

--- Check of params.mmds_message: an object, or text; text that begins like an object has to be one.
function metadata.check(message)
  local kind = scalars.describe(message)
  if type(message) ~= "string" and kind ~= "an object" then
    return nil, "expected an object or text, got " .. kind
  end
  if type(message) == "string" and not text.valid(message) then
    return nil, "expected valid UTF-8"
  end
  local document, err = metadata.text(message)
  if document then err = select(2, json.decode(document)) end
  if err then return nil, "it begins like a JSON object, but is none: " .. err end
  if #document > MOST then
    return nil, string.format("%d bytes of JSON: the monitor takes %d", #document, MOST)
  end
  return message
end

--- Check of params: what the service needs, and what is of no use without it.
---@return true? ok, string? err
function metadata.check_params(params)
  if not params.mmds_message then
    if params.mmds_version then return nil, "mmds_version: no mmds_message is given" end
  elseif not params.network then
    return nil, "mmds_message: the guest asks for it by its network interface: add network"
  end
  return true
end

--- What the monitor reads; nil: no service.
function metadata.config(params)
  if not params.mmds_message then return nil end
  return { network_interfaces = INTERFACES, version = params.mmds_version }
end

return metadata
