--- Containers that a DMS made itself, by the labels it gives them, as executions to take over.
--
-- Labels: nunet-executor (the executor's id), nunet-jobID (the job, in older versions led by the
-- executor's id), nunet-executionID ("executor_job_execution").

local async = require "exhost.async"
local client = require "backends.docker.client"
local json = require "exhost.json"

--- A label without what leads it.
local function without(text, lead)
  return text:sub(1, #lead) == lead and text:sub(#lead + 1) or text
end

local function ids_of(labels)
  local lead = (labels["nunet-executor"] or "") .. "_"
  local job = without(labels["nunet-jobID"], lead)
  local execution = without(labels["nunet-executionID"] or job, lead)
  return job, without(execution, job .. "_")
end

local function list(items)
  return type(items) == "table" and #items > 0 and json.array(items) or nil
end

--- The request that would have made it, as far as the engine still knows it.
local function request_of(record, job, execution)
  local made, host = record.Config or {}, record.HostConfig or {}
  return { job_id = job, execution_id = execution,
    resources = { cpu = { cores = (host.NanoCpus or 0) / 1e9 }, ram = { size = host.Memory } },
    engine_spec = { type = "docker", params = { image = made.Image,
      entrypoint = list(made.Entrypoint), cmd = list(made.Cmd), environment = list(made.Env),
      working_directory = made.WorkingDir, user = made.User, tty = made.Tty,
      privileged = host.Privileged } } }
end

local function describe(record)
  local job, execution = ids_of(record.Config.Labels)
  local state = record.State or {}
  local name = without(record.Name or "", "/")
  return { job_id = job, execution_id = execution, handle = name,
    record = { container = record.Id, started_at = state.StartedAt,
      phase = state.Paused and "paused" or "running" },
    request = request_of(record, job, execution),
    body = { name = name, create = record.Config, unenforced = json.array {} },
    why = not state.Running and "it is " .. tostring(state.Status) .. ", not running" or nil }
end

--- Suspends. GET only.
---@return table[]? items { job_id, execution_id, handle, request, body, record, why }: `record`
--- is what state.json holds beside them, `why` what is against it
---@return string? err, string? code, table? data
return function(self)
  local filters = json.encode { label = json.array { "nunet-jobID" } }
  local found, err, code, data = self.api:call("GET", "/containers/json",
    { query = { all = "1", filters = filters } })
  if not found then return nil, err, code, data end
  local asks = {}
  for i, entry in ipairs(found) do
    asks[i] = function()
      return self.api:call("GET", "/containers/" .. client.escape(entry.Id) .. "/json")
    end
  end
  local items = {}
  for _, answer in ipairs(async.all(asks)) do
    local record = answer[1] -- nil: it went meanwhile
    if record and not record.Config.Labels["exhost.executor"] then -- ours carry both
      items[#items + 1] = describe(record)
    end
  end
  return items
end
