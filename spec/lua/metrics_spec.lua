--- Numbers for Prometheus: what they count, and how they are asked for.

local cli = require "support.cli"
local command = require "support.command"
local executor = require "exhost.executor"
local listen = require "exhost.listen"
local metrics = require "exhost.metrics"
local rpc = require "exhost.rpc"
local scrape = require "exhost.scrape"
local scratch = require "support.scratch"

local function with(body)
  return scratch.with(function(_, path)
    local ex = assert(executor.open { id = "spec", state_dir = path .. "/state",
      settings = { log_limit = 1000 } })
    local ok, err = xpcall(body, function(e)
      return type(e) == "table" and e or debug.traceback(e, 2)
    end, ex)
    ex:cleanup()
    ex:close()
    if not ok then error(err, 0) end
  end)
end

local function run(ex, id, script)
  return assert(ex:run { job_id = id, execution_id = id,
    engine_spec = { type = "process", params = { cmd = { "sh", "-c", script } } } })
end

--- The value of a series, or nil.
local function value(text, series)
  for line in text:gmatch("[^\n]+") do
    local name, number = line:match("^(.*) (%S+)$")
    if name == series then return tonumber(number) end
  end
end

describe("metrics", function()
  it("count executions, starts and output", with(function(ex)
    run(ex, "a1", "echo four") run(ex, "a2", "exit 3") run(ex, "a3", "yes | head -c 5000")
    assert(ex:start { job_id = "a4", execution_id = "a4",
      engine_spec = { type = "process", params = { cmd = { "sleep", "60" } } } })
    local text = metrics.text(ex)
    local function executions(status, reason)
      return value(text, ('exhost_executions{backend="process",reason="%s",status="%s"}'):format(
        reason, status))
    end
    assert.same({ 2, 1, 1 }, { executions("success", "exited"), executions("failed", "exited"),
      executions("running", "") })
    assert.same({ 4, 4 }, { value(text, "exhost_start_seconds_count"),
      value(text, 'exhost_start_seconds_bucket{le="+Inf"}') })
    assert.is_true(value(text, "exhost_start_seconds_sum") > 0)
    assert.same({ 5005, 4000 }, { value(text, 'exhost_output_bytes{stream="stdout"}'),
      value(text, 'exhost_output_dropped_bytes{stream="stdout"}') })
    assert.is_true(value(text, 'exhost_memory_bytes{kind="resident"}') > 1e6)
    assert.is_nil(text:find("a1", 1, true))
  end))

  it("count calls by method and code", with(function(ex)
    local function calls(code)
      return value(metrics.text(ex), ('exhost_calls_total{code="%s",method="status"}'):format(code))
        or 0
    end
    local before = { calls "ok", calls "not_found" }
    run(ex, "a1", "true")
    assert(rpc.call(ex, "status", { id = "a1" }))
    rpc.call(ex, "status", { id = "none" })
    assert.same({ before[1] + 1, before[2] + 1 }, { calls "ok", calls "not_found" })
    assert.is_true(value(metrics.text(ex), 'exhost_call_seconds_count{method="status"}') >= 2)
  end))

  it("are text that Prometheus reads", with(function(ex)
    metrics.watch("exhost_call", "exhost_calls_total", { method = 'a"b\\c\nd' }, function() end)
    for line in metrics.text(ex):gmatch("([^\n]*)\n") do
      local ok = line:find("^# HELP exhost_[%l_]+ %S") or line:find("^# TYPE exhost_[%l_]+ %l+$")
        or line:find("^exhost_[%l_]+ %-?[%d.e+-]+$")
        or line:find('^exhost_[%l_]+{[%l]+=".*"} %-?[%d.e+-]+$')
      assert.is_truthy(ok, line)
    end
    local buckets = {}
    for number in metrics.text(ex):gmatch("exhost_start_seconds_bucket{[^}]*} (%d+)") do
      buckets[#buckets + 1] = tonumber(number)
      assert.is_true(buckets[#buckets] >= (buckets[#buckets - 1] or 0))
    end
  end))

  it("come by HTTP on the loopback, and nothing else does", with(function(ex)
    local serving = assert(scrape.open(ex, 0))
    local url = "http://127.0.0.1:" .. serving.port
    local function get(...)
      return command.run("/usr/bin/env", { "env", "curl", "-sS", "-m", "20", "-w",
        "%{http_code} %{content_type}", ... })
    end
    local ran = get(url .. "/metrics")
    assert.equal(0, ran.code, ran.err)
    assert.matches('exhost_info{executor="spec",version="[^"]+"} 1\n', ran.out)
    assert.matches("200 text/plain; version=0.0.4; charset=utf%-8$", ran.out)
    assert.matches("404 ", get(url .. "/").out)
    assert.matches("405 ", get("-X", "POST", url .. "/metrics").out)
    local taken, err, code = scrape.open(ex, serving.port)
    assert.same({ nil, "io" }, { taken, code })
    assert.matches("^listen on 127.0.0.1:%d+: EADDRINUSE", err)
    assert.is_true(scratch.wait_until(function() return serving.count == 0 end))
    serving:close()
    assert.is_false(pcall(listen.loopback, 70000, print))
    assert.is_false(pcall(listen.loopback, 0))
  end))
end)

describe("exhost metrics", function()
  it("asks the host that serves, and does without", cli.with(function(x)
    x:run { "run", "--id", "e1", "--", "true" }
    local ran = x:run { "metrics" }
    assert.equal(0, ran.code)
    assert.matches('exhost_executions{backend="process",reason="exited",status="success"} 1\n',
      ran.out)
    local serving = x:start { "serve", "--metrics-port", "0" }
    serving:wait_until("it serves", function(s) return s:stderr():find("serving", 1, true) end)
    x:run { "rpc", "status", '{"id": "e1"}' }
    assert.matches('exhost_calls_total{code="ok",method="status"} 1\n', x:run({ "metrics" }).out)
    assert.is_string(x:json({ "metrics" }).text)
    local port = serving:stderr():match("metrics on http://127.0.0.1:(%d+)/metrics")
    assert.is_string(port)
    serving:signal(15)
    assert.equal(0, serving:wait().code)
    for _, bad in ipairs { "x", "-1", "70000", "1.5" } do
      local _, err = x:json { "serve", "--metrics-port", bad }
      assert.equal("invalid", err.code)
    end
  end))
end)
