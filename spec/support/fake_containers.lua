--- Many ended containers of one executor, for the fake engine: what it answers to requests for
-- them. Options: many (how many), owner (the executor's id), stuck (so many of the newest cannot
-- be removed), unlisted (networks cannot be listed).

local fake_containers = {}

local INSPECT = '{"Id":"%s","Image":"sha256:1","Config":{"Labels":%s},"State":{"Status":"exited",'
  .. '"Running":false,"OOMKilled":false,"ExitCode":3,"Error":"",'
  .. '"FinishedAt":"2026-01-02T03:04:06.7Z"}}'

--- The id of the container with this number.
function fake_containers.id(number)
  return string.format("%064x", number)
end

--- Answers a function of method and path: a status and a body, or nil for any other's business.
function fake_containers.new(options)
  local there = {}
  for i = 1, options.many do there[i] = true end

  local function labels(i)
    return string.format('{"exhost.executor":"%s","exhost.job":"many-%d",'
      .. '"exhost.execution":"many-%d"}', options.owner, i, i)
  end

  local function list(query)
    local most, parts = tonumber(query:match("limit=(%d+)")) or math.huge, {}
    for i = options.many, 1, -1 do -- the newest first
      if #parts >= most then break end
      if there[i] then
        parts[#parts + 1] = string.format('{"Id":"%s","State":"exited","Labels":%s}',
          fake_containers.id(i), labels(i))
      end
    end
    return 200, "[" .. table.concat(parts, ",") .. "]"
  end

  return function(method, path)
    local rest = path:match("^/v[%d.]+(/.*)$") or ""
    if rest:find("^/containers/json") then return list(rest) end
    if rest:find("^/networks") and options.unlisted then return 500, '{"message":"no store"}' end
    if rest:find("^/networks") then return 200, "[]" end
    if rest:find("^/volumes") then return 200, '{"Volumes":[]}' end
    local id = rest:match("^/containers/(%x+)")
    if not id then return nil end
    local i = tonumber(id:sub(-8), 16)
    if not there[i] then return 404, '{"message":"No such container"}' end
    if method == "DELETE" and i > options.many - (options.stuck or 0) then
      return 500, '{"message":"device or resource busy"}'
    elseif method == "DELETE" then
      there[i] = nil
      return 204, ""
    end
    return 200, string.format(INSPECT, id, labels(i))
  end
end

return fake_containers
