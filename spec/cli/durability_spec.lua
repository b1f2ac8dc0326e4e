--- What is on the disk before an answer, seen as the system sees it: by strace, which also
-- stands in for disks that fail.

local cli = require "support.cli"
local json = require "exhost.json"

-- Nobody but root may ask what files a shim's descriptors are.
local IS_ROOT = require("exhost.system").ids() == 0

--- Who synced what: the host's calls and its shim's, in order, as paths below the state
-- folder; the host's "go" is among them.
---@param text string strace's
---@param folder string
---@return string[] host, string[] shim
local function calls_in(text, folder)
  local host, shim, shim_pid = {}, {}, nil
  for pid, call, arguments in text:gmatch("(%d+) +(%l+)%(([^\n]+)") do
    if call == "sendto" then
      if arguments:find('"ready\\n"', 1, true) then shim_pid = pid end
      if arguments:find('"go\\n"', 1, true) then host[#host + 1] = "go" end
    else
      local path = arguments:match("^%d+<(.-)>") -- none: a shim's, and we are not root
      local list = (pid == shim_pid or not path) and shim or host
      list[#list + 1] = path and path:sub(#folder + 2):gsub("^state/?", "") or call
    end
  end
  return host, shim
end

--- Run a command of exhost and all that it starts, to the end of both. Suspends.
---@param words string the command's, for the shell, with $full for the settings
---@param options string? strace's own
---@return table ran { code, out, err }
---@return string[] host, string[] shim see calls_in
local function trace(x, words, options)
  x.dir:write("full.lua", 'return { durability = "full" }')
  local ran = x:sh([[full="--config $D/full.lua"
    export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 # that is done by ptrace, too
    strace -f -qq -y -e trace=fsync,fdatasync,sync,syncfs,sendto ]] .. (options or "")
    .. " -o $D/trace $exhost " .. words)
  return ran, calls_in(x.dir:read("trace") or "", x.path)
end

local function below(folder, names)
  local paths = {}
  for i, name in ipairs(names) do paths[i] = folder .. (name ~= "" and "/" or "") .. name end
  return paths
end

local function joined(...)
  local all = {}
  for _, list in ipairs { ... } do
    for _, value in ipairs(list) do all[#all + 1] = value end
  end
  return all
end

local HELD = "default/executions/j1"
local BEFORE_GO = joined(below(HELD, { "request.json", "plan.json", "state.json", "" }),
  { "default/executions", "default/jobs/j1", "default/jobs", "default", "", "go" })

describe("durability", function()
  it("is that of the result alone", cli.with(function(x)
    local ran, host, shim = trace(x, "run --id j1 sh -c 'echo out'")
    assert.same({ 0, "out\n", "" }, { ran.code, ran.out, ran.err })
    assert.same({ { "go", HELD .. "/result.json" }, {} }, { host, shim })
    ran, host = trace(x, "remove j1")
    assert.same({ 0, {} }, { ran.code, host })
  end))

  it("in full is that of all that is written", cli.with(function(x)
    local ran, host, shim = trace(x, "$full run --id j1 sh -c 'echo out; exit 3'")
    assert.same({ 3, "out\n" }, { ran.code, ran.out })
    assert.same(joined(BEFORE_GO, below(HELD, { "state.json", "", "result.json" })), host)
    assert.same(IS_ROOT
      and below(HELD, { "stdout.log", "stderr.log", "log.idx", "", "exit.tmp", "" })
      or { "fsync", "fsync", "fsync", "fsync", "fsync", "fsync" }, shim)
    local r = assert(x:json { "wait", "j1" })
    assert.same({ 3, "exited", "out\n" }, { r.exit_code, r.reason, r.stdout })
  end))

  it("in full is that of logs elsewhere, too", cli.with(function(x)
    x.dir:write("request", json.encode { JobID = "j1", ExecutionID = "j1", EngineSpec = {
      type = "process", params = { cmd = { "true" } } }, ResultsDir = x.path .. "/results" })
    local ran, _, shim = trace(x, "$full run -f $D/request")
    assert.equal(0, ran.code, ran.err)
    assert.equal(6, #shim)
    if not IS_ROOT then return end
    assert.same(joined(below("results", { "stdout.log", "stderr.log" }), { HELD .. "/log.idx",
      "results" }, below(HELD, { "exit.tmp", "" })), shim)
  end))

  it("in full is that of each change", cli.with(function(x)
    assert.equal(0, x:run({ "start", "--id", "j1", "sleep", "60" }).code)
    local changed = below(HELD, { "state.json", "" })
    for _, case in ipairs { { "pause j1", changed }, { "resume j1", changed },
      { "signal CONT j1", {} } } do
      local ran, host = trace(x, "$full " .. case[1])
      assert.equal(0, ran.code, ran.err)
      assert.same(case[2], host, case[1])
    end
    local _, host = trace(x, "$full remove j1")
    assert.same(joined({ HELD .. "/result.json" }, changed, { "default/jobs" }), host)
  end))

  it("that cannot be had before a job runs is a start that failed", cli.with(function(x)
    for _, case in ipairs { { HELD .. "/plan.json", "the execution's folder" },
      { "default/jobs", "jobs/" }, { "default/executions", "executions/" } } do
      local ran = trace(x, "$full run --id j1 touch $D/ran",
        "-e inject=fsync:error=EIO -P $D/state/" .. case[1])
      assert.equal(125, ran.code)
      assert.matches("start process execution j1: sync " .. case[2] .. ": EIO: ", ran.err, 1, true)
      assert.is_nil(x.dir:stat("ran"))
      assert.same({}, x.dir:open("state"):open("default"):open("executions"):list())
      assert.same({}, x.dir:open("state"):open("default"):open("jobs"):list())
      assert.matches("start_failed", x:run({ "why", "j1" }).out)
    end
  end))

  it("that cannot be had of what runs is told in its story", cli.with(function(x)
    assert.equal(0, x:run({ "start", "--id", "j1", "sleep", "60" }).code)
    local ran = trace(x, "$full pause j1", "-e inject=fsync:error=EIO")
    assert.same({ 0, "paused" }, { ran.code, assert(x:json { "inspect", "j1" }).status })
    assert.matches("not_synced    why sync the execution's folder: EIO: ",
      x:run({ "why", "j1" }).out, 1, true)
  end))

  it("that the shim cannot have is told in the evidence", cli.with(function(x)
    if not IS_ROOT then return pending "only root can tell strace which of a shim's files" end
    local ran = trace(x, "$full run --id j1 sh -c 'echo out; exit 4'",
      "-e inject=fsync:error=EIO -P $D/state/" .. HELD .. "/stdout.log")
    assert.same({ 4, "out\n" }, { ran.code, ran.out })
    local r = assert(x:json { "wait", "j1" })
    assert.same({ 4, 5 }, { r.exit_code, r.evidence.sync_errno })
  end))
end)
