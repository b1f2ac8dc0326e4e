--- Starting: plan in hand, from an id that is free to a workload that runs.
--
-- Up to *go* every failure, cancel and deadline rolls back to nothing. After it the
-- answer is only listened to: the workload may run, so the execution stays.

local async = require "exhost.async"
local common = require "exhost.execution.common"
local conclude = require "exhost.conclude"
local dirs = require "exhost.dir"
local durability = require "exhost.durability"
local json = require "exhost.json"
local ledger = require "exhost.ledger"
local loop = require "exhost.loop"
local request = require "exhost.request"
local summary = require "exhost.request.summary"
local shim = require "exhost.shim"
local state = require "exhost.state"
local system = require "exhost.system"

local start = {}

local CLEANUP_SECONDS, GO_SECONDS = 30, 60

local function phase(view, name)
  view.record.phase = name
  return state.write(view.dir, view.record)
end

--- Open the folder of the logs and remember where this execution's part begins.
local function open_logs(view, results_dir)
  if not results_dir then return view.dir end
  local dir, err, code = dirs.open(results_dir, { create = true, mode = 448, no_follow = true })
  if not dir then
    if code == "ENOTDIR" then err = "it is a link or a file, not a folder" end
    return nil, "open results_dir " .. results_dir .. ": " .. err, "io"
  end
  view.record.log_dir, view.record.log_inode = results_dir, dir:inode()
  view.record.log_from = {}
  for _, stream in ipairs { "stdout", "stderr" } do
    local st = dir:stat(stream .. ".log")
    if st and st.kind ~= "file" then
      dir:close()
      return nil, string.format("open %s/%s.log: it is a %s, not a file: remove it",
        results_dir, stream, st.kind), "io"
    end
    view.record.log_from[stream] = st and st.size or 0
  end
  return dir
end

local function interrupted(view)
  local word = async.interrupted()
  if not word and view.dir:stat("cancel") then word = "cancelled" end
  if word then return nil, word, word end
  return true
end

--- Everything before *go*. Answers the shim, ready.
local function prepare(executor, view, plan)
  local backend = plan.backend
  local execution = executor:execution(view, plan)
  local handle, err, code, data = backend:create(execution)
  if not handle then return nil, err, code, data end
  view.record.handle, execution.handle = handle, handle
  local logs
  logs, err, code = open_logs(view, plan.request.results_dir)
  if not logs then return nil, err, code end
  local ok
  ok, err, code = phase(view, "creating")
  local spec, ready
  if ok then spec, err, code, data = backend:source(execution) end
  if spec then
    durability.add_items(executor, spec)
    ready, err, code, data = shim.start(view.dir, logs, shim.encode(spec))
    if not ready and data and data.step then
      err, code = start.explain(plan, data)
    end
  end
  if logs ~= view.dir then logs:close() end
  if not ready then return nil, err, code, data end
  executor:event(view, "ready")
  -- In this order: a cancel that is not seen here comes from who sees the phase.
  ok, err, code = phase(view, "starting")
  if ok then ok, err, code = durability.begun(executor, view) end
  if ok then ok, err, code = interrupted(view) end
  if not ok then
    ready:close()
    return nil, err, code
  end
  return ready
end

local STEPS = {
  exec = "execute", script = "run provision script", cwd = "enter working directory",
  user = "become user", cgroup = "join its control group", rlimit = "set resource limits",
  open_log = "open its logs", fork = "fork", control = "open its control FIFO",
  spec = "read its spec", attach = "attach to", wait = "wait for",
  mount = "mount", network = "set up the network", disk = "use the disk",
}
local FIRST_STATUS = 300 -- no errno is so high: an engine's HTTP status

--- What is missing when the system finds no file, though there is one.
local function missing(step, object)
  local is_script = step == "script"
    or step == "exec" and object:sub(1, 1) == "/" and system.real_path(object)
  return is_script and " (it is there; the interpreter after its #!, or its loader, is not)" or ""
end

--- What a shim's `error ERRNO STEP` means to the person who asked.
---@return string message, string code
function start.explain(plan, data)
  local describe = plan.backend.describe_step
  local object = describe and describe(plan.body, data.step) or ""
  local text
  if data.errno >= FIRST_STATUS then
    text = "the engine answered HTTP " .. data.errno
  else
    text, data.name = system.error_text(data.errno)
    if data.name == "ENOENT" then text = text .. missing(data.step, object) end
  end
  local message = string.format("%s%s: %s", STEPS[data.step] or data.step,
    object ~= "" and " " .. object or "", text)
  data.path = object ~= "" and object or nil
  return message, "engine"
end

local function started(executor, view, pid)
  view.record.started_at, view.record.pid = loop.timestamp(), pid
  phase(view, "running")
  durability.changed(executor, view, "state.json")
  executor:event(view, "started", { pid = pid })
  return true
end

--- The engine's start, where starting is not the shim's. What fails here has not run; what
--- does not runs, whatever became of the shim: who looks next gives it another one.
local function engine_start(executor, view, plan, ready)
  local ok, err, code, data = plan.backend:start(executor:execution(view, plan))
  if not ok then
    ready:close()
    return nil, err, code, data
  end
  if not ready:tell_go() then executor:event(view, "shim_lost") end
  return started(executor, view)
end

local function run(executor, view, plan)
  local ready, err, code, data = prepare(executor, view, plan)
  if not ready then return nil, err, code, data end
  return async.shield(GO_SECONDS, function()
    if plan.backend.start then return engine_start(executor, view, plan, ready) end
    local pid, why, kind, more = ready:go()
    if pid then return started(executor, view, pid) end
    if more and more.never_ran then return nil, why, kind end
    if more and more.step then
      why, kind = start.explain(plan, more)
      return nil, why, kind, more -- the shim says that nothing ran
    end
    -- No word from the shim after *go*: it may have run. Roll forward.
    executor:event(view, "start_unanswered", { why = why })
    if conclude.never_ran(view) then return nil, why, kind, more end
    conclude.run(executor, view, true)
    return true
  end)
end

--- Hold the GPUs that were planned with. The record names them, so that only such executions
--- have to give anything back, and a ledger that was lost can be made again.
local function claim_gpus(executor, view, plan)
  if #(plan.gpus or {}) == 0 or executor.settings.gpu_sharing then return true end
  view.record.holds_gpus = ledger.names(plan.gpus)
  return ledger.claim(executor.state, plan.gpus, view.id)
end

local function new_files(executor, plan)
  local asked = plan.request
  local record = {
    format = state.FORMAT, phase = "creating", backend = plan.name, job_id = asked.job_id,
    execution_id = asked.execution_id, created_at = loop.timestamp(),
    persist_logs_duration = asked.persist_logs_duration, warnings = plan.warnings,
    stop_grace = asked.stop_grace, stop_signal = asked.stop_signal,
    retention = executor.settings.retention, -- whoever concludes may have other settings
    unenforced = #(plan.body.unenforced or {}) > 0 and plan.body.unenforced or nil,
  }
  return record, {
    ["request.json"] = json.encode(request.for_disk(asked)),
    ["plan.json"] = json.encode(plan.body),
    ["state.json"] = json.encode(record),
  }
end

--- Take what it needs and let it run; else undo it.
---@return true? ok, string? err, string? code, table? data
local function claim_and_run(executor, view, plan)
  local job = plan.request.job_id
  executor:event(view, "accepted", { job = job, backend = plan.name,
    asked = summary(plan.request), policies = plan.body.policies, set = plan.body.origin,
    warnings = plan.warnings and #plan.warnings > 0 and plan.warnings or nil })
  local taken, holder, kind = executor.state:claim_job(job, view.id)
  local ok, err, code, data
  if taken then
    ok, err, code = claim_gpus(executor, view, plan)
    if ok then ok, err, code, data = run(executor, view, plan) end
  elseif taken == false then
    err = string.format("job %s is held by execution %s", job, holder)
    code = "already_started"
  else
    err, code = holder, kind
  end
  if ok then return true end
  err = string.format("start %s execution %s: %s", plan.name, view.id, err)
  async.shield(CLEANUP_SECONDS, function()
    executor:event(view, "start_failed", { message = err, code = code })
    local undone, why = conclude.roll_back(executor, view, err)
    if not undone then err = err .. "; " .. why end
  end)
  return nil, err, code or "internal", data
end

--- Make the execution and let it run. Suspends.
---@return string? id, string? err, string? code, table? data
function start.run(executor, plan)
  local id = plan.request.execution_id
  local record, files = new_files(executor, plan)
  local dir, lock, code = executor.state:create(id, files)
  if not dir then return nil, lock, code end
  local view = setmetatable({ id = id, dir = dir, record = record },
    { __index = { close = function() end } })
  local ok, err, data
  ok, err, code, data = common.holding(lock, claim_and_run, executor, view, plan)
  dir:close()
  if not ok then return nil, err, code, data end
  return id
end

return start
