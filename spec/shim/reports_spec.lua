--- A child that says itself when the workload runs: the status pipe is its descriptor 3.

local loop = require "exhost.loop"
local scratch = require "support.scratch"
local shim = require "exhost.shim"
local result = require "exhost.result"

local function run(dir, script)
  local ready = assert(shim.start(dir, dir, shim.encode {
    { "argv", "/bin/sh" }, { "argv", "-c" }, { "argv", script }, { "reports", "1" } }))
  return ready:go()
end

local function exit_of(dir)
  return scratch.wait_until(function() return result.parse_exit(dir:read "exit" or "") end)
end

describe("a child that reports", function()
  it("has started once it closes the pipe, not before", scratch.with(function(dir)
    local before = loop.now()
    local pid = run(dir, "sleep 0.2; echo early; exec 3>&-; echo late; exit 4")
    assert.is_number(pid)
    assert.is_true(loop.now() - before >= 0.2)
    -- What it wrote before is on its way to the log then, and no sooner there.
    assert(scratch.wait_until(function() return dir:read("stdout.log"):sub(1, 6) == "early\n" end))
    assert.equal("4", exit_of(dir).code)
  end))

  it("says why nothing runs, and that is the error of the start", scratch.with(function(dir)
    -- An xh_report: the third step of the list that a child may name, and ENOENT.
    local pid, err, code, data = run(dir, "printf '\\146\\0\\0\\0\\2\\0\\0\\0' >&3; exit 1")
    assert.same({ nil, "user", "engine", 2 }, { pid, err, code, data.errno })
    local exit = exit_of(dir)
    assert.same({ "1", "user", "2", nil },
      { exit.never_ran, exit.step, exit.error, exit.code })
  end))

  it("that ends without a word has run", scratch.with(function(dir)
    assert.is_number(run(dir, "exit 6"))
    assert.equal("6", exit_of(dir).code)
  end))

  it("is nothing but 1 in the spec", scratch.with(function(dir)
    local _, _, _, data = shim.start(dir, dir, shim.encode { { "argv", "true" },
      { "reports", "yes" } })
    assert.same({ 22, "spec" }, { data.errno, data.step })
  end))
end)
