--- Images: here or not, and of which platform.

local client = require "backends.docker.client"
local pull = require "backends.docker.pull"
local reference = require "backends.docker.reference"

local image = {}

--- An image's record, nil and not_found when it is not here. Suspends.
---@return table? inspect, string? err, string? code
function image.inspect(api, name)
  return api:call("GET", "/images/" .. name:gsub("[^%w._~/:@-]", client.escape) .. "/json")
end

--- os/architecture[/variant] of an image.
local function platform_of(record)
  local text = tostring(record.Os) .. "/" .. tostring(record.Architecture)
  local variant = record.Variant
  return variant and variant ~= "" and text .. "/" .. variant or text
end

--- Whether an image is for the platform asked for; without a variant any will do.
local function is_for(record, platform)
  if not platform then return true end
  local found = platform_of(record)
  return found == platform or found:sub(1, #platform + 1) == platform .. "/"
end

local function auth_of(params)
  if params.registry_auth and next(params.registry_auth) then return params.registry_auth end
  if params.username then
    return { username = params.username, password = params.password }
  end
end

--- Have the image here, as the setting says. Suspends.
---@param params table of the request
---@param policy string never missing always
---@param options { settings: table, report: function?, cancelled: function? } settings: of
--- this backend
---@return table? inspect, string? err, string? code, table? data
function image.ensure(api, params, policy, options)
  local parts = assert(reference.parse(params.image))
  local name = reference.text(parts)
  local found, err, code, data = image.inspect(api, name)
  if not found and code ~= "not_found" then return nil, err, code, data end
  local fits = found and is_for(found, params.platform)
  if fits and (policy ~= "always" or parts.id) then return found end
  if policy == "never" or parts.id then
    if found and not fits then
      return nil, string.format("image %s is for %s, not for %s", name, platform_of(found),
        params.platform), "engine"
    end
    return nil, string.format('no such image "%s" (%s)', name, parts.id
      and "an image is pulled by name, not by id"
      or 'pull is off: set image_pull = "missing"'), "engine", data
  end
  local pulled
  pulled, err, code, data = pull(api, parts, { settings = options.settings,
    report = options.report, cancelled = options.cancelled, auth = auth_of(params),
    platform = params.platform })
  if not pulled then return nil, err, code, data end
  found, err, code, data = image.inspect(api, name)
  if not found then return nil, err, code, data end
  -- Engines may say success and bring what the registry had.
  if is_for(found, params.platform) then return found end
  return nil, string.format("pull %s: the registry has it for %s, not for %s", name,
    platform_of(found), params.platform), "engine"
end

return image
