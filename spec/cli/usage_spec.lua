local cli = require "support.cli"
local json = require "exhost.json"

local COMMANDS = { "run", "start", "wait", "logs", "cancel", "pause", "resume", "signal",
  "exec", "stats", "update", "ps", "inspect", "why", "remove", "cleanup", "adopt",
  "plan", "gpus", "policy", "doctor",
  "serve", "rpc", "lua", "conformance", "version", "help" }

describe("exhost: words that a command does not take", function()
  it("are refused, and nothing is done", cli.with(function(x)
    assert.equal(0, x:run({ "run", "--id", "ab", "--", "true" }).code)
    for _, name in ipairs { "cleanup", "ps", "gpus", "doctor", "metrics", "version", "serve",
      "top" } do
      local ran = x:run { name, "cd" }
      assert.same({ 2, "" }, { ran.code, ran.out }, name)
      assert.matches("^exhost: " .. name .. ": unexpected \"cd\"\n$", ran.err)
    end
    assert.equal(0, x:run({ "wait", "ab" }).code)
  end))
end)

describe("exhost help", function()
  it("names every command, and explains each", cli.with(function(x)
    local all = x:run { "help" }
    assert.equal(0, all.code)
    for _, name in ipairs(COMMANDS) do
      assert.matches("\n  " .. name .. " +%S", all.out)
      local text = x:run { "help", name }
      assert.matches("^usage: exhost " .. name, text.out)
      if name ~= "help" then
        assert.equal(text.out, x:run({ name, "--help" }).out)
        assert.equal(text.out, x:run({ "-h", name }).out)
      end
    end
    assert.equal(all.out, x:run({}).out)
    assert.equal(all.out, x:run({ "--help" }).out)
    local names = {}
    for _, command in ipairs(x:json { "help" }) do names[command.name] = true end
    for _, name in ipairs(COMMANDS) do assert.is_true(names[name], name) end
    assert.equal("run", x:json({ "help", "run" }).name)
  end))
end)

describe("exhost help config", function()
  it("has every setting, with its default", cli.with(function(x)
    local text, listed = x:run({ "help", "config" }).out, {}
    for _, one in ipairs(x:json { "help", "config" }) do listed[one.name] = one.default end
    for name, spec in pairs(require("exhost.config").SCHEMA.fields) do
      assert.matches("\n  " .. name .. " %S", text)
      assert.equal(spec.default, listed[name])
    end
    assert.matches("\n  retention TIME +how long .*%(default: 24h%)\n", text)
    assert.matches("\n  log_limit SIZE +.*%(default: 1 GiB%)\n", text)
  end))
end)

describe("exhost version", function()
  it("is asked for in any way", cli.with(function(x)
    assert.matches("^exhost %d+%.%d+%.%d+\n$", x:run({ "version" }).out)
    assert.equal(x:run({ "version" }).out, x:run({ "--version" }).out)
    local value = x:json { "version" }
    assert.same({ 1, 1 }, { value.shim_protocol, value.state_format })
  end))
end)

describe("a command line that is wrong", function()
  it("is answered with what is wrong, and what may have been meant", cli.with(function(x)
    for message, words in pairs {
      ['unknown command "lgos" (did you mean logs?); see exhost help'] = { "lgos" },
      ['unknown command "qqqqqq"; see exhost help'] = { "qqqqqq" },
      ["ps: unknown option --al (did you mean --all?)"] = { "ps", "--al" },
      ["logs: unknown option --folow (did you mean --follow?)"] = { "logs", "--folow=x", "a" },
      ["cancel: unknown option --grase (did you mean --grace?)"] = { "cancel", "--grase", "1s" },
      ["unknown option --staet-dir (did you mean --state-dir?)"] = { "--staet-dir", "x", "ps" },
      ["ps: unknown option -z"] = { "ps", "-z" },
      ["ps: --all takes no value"] = { "ps", "--all=1" },
      ["logs: --since: expected TIME"] = { "logs", "--since" },
      ["wait: expected one execution id"] = { "wait" },
      ["expected an execution id"] = { "cancel" },
      ["signal: expected a signal and execution ids"] = { "signal" },
      ["lua: expected a script"] = { "lua" },
      ['unknown command "rnu" (did you mean run?)'] = { "help", "rnu" },
    } do
      local ran = x:run(words)
      assert.equal("exhost: " .. message .. "\n", ran.err)
      assert.equal(words[1] == "wait" and 125 or 2, ran.code)
      assert.equal("", ran.out)
    end
  end))

  it("is answered in JSON wherever --json stands", cli.with(function(x)
    for _, words in ipairs { { "--json", "lgos" }, { "lgos", "--json" }, { "ps", "--al", "--json" },
      { "--json", "ps", "--al" }, { "--bad", "--json", "ps" }, { "logs", "--json" },
      { "run", "--bad", "--json" }, { "--json", "lua", "/nowhere" } } do
      local ran = x:run(words)
      local value = json.decode(ran.err)
      assert.equal("invalid", value and value.error.code, table.concat(words, " "))
      assert.is_string(value.error.message)
      assert.equal(1, select(2, ran.err:gsub("\n", "")))
    end
    -- After `--` it is the job's own word.
    assert.matches("^%-%-json", x:run({ "run", "--", "echo", "--json" }).out)
  end))

  it("takes options in every usual spelling", cli.with(function(x)
    for _, words in ipairs { { "-e", "A=1" }, { "-eA=1" }, { "--env", "A=1" }, { "--env=A=1" } } do
      local line = { "run", unpack(words) }
      line[#line + 1] = "--"
      for _, word in ipairs { "sh", "-c", "echo $A" } do line[#line + 1] = word end
      assert.equal("1\n", x:run(line).out)
    end
    assert.equal("-c\n", x:run({ "run", "echo", "-c" }).out)
    assert.equal(0, x:run({ "ps", "--executor", "other" }).code)
    assert.equal(0, x:run({ "--executor=other", "ps" }).code)
    local _, err = x:json { "--executor", "../x", "ps" }
    assert.equal("invalid", err.code)
  end))
end)

describe("exhost lua", function()
  it("runs a script with its words, and exits as it says", cli.with(function(x)
    x.dir:write("s.lua", [[
      local async = require "exhost.async"
      assert(async.sleep(0))
      print(select("#", ...), ..., arg[0] ~= nil, arg[2])
      return tonumber((...))]])
    local ran = x:run { "lua", x.path .. "/s.lua", "7", "--json" }
    assert.same({ 7, "2\t7\t--json\ttrue\t--json\n" }, { ran.code,
      (ran.out:gsub("\t7\ttrue", "\t7\t--json\ttrue")) })
    for text, code in pairs { ["return false"] = 1, ["return true"] = 0, [""] = 0,
      ["error 'broken'"] = 1, ["return {"] = 1 } do
      x.dir:write("s.lua", text)
      assert.equal(code, x:run({ "lua", x.path .. "/s.lua" }).code, text)
    end
    x.dir:write("s.lua", "local function deep() error 'broken' end deep()")
    assert.matches("s%.lua:1: broken\nstack traceback", x:run({ "lua", x.path .. "/s.lua" }).err)
    assert.matches("s%.lua:1: broken", select(2, x:json { "lua", x.path .. "/s.lua" }).message)
  end))

  it("loads nothing from the folder it is started in", cli.with(function(x)
    x.dir:write("mine.lua", "return 1")
    x.dir:write("s.lua", "print(pcall(require, 'mine'))")
    assert.matches("^false", x:sh([[cd $D; "$exhost" lua s.lua]]).out)
  end))
end)

describe("exhost conformance", function()
  it("holds a backend's folder against the specs", cli.with(function(x)
    local build = require "exhost.build"
    local ran = x:run { "conformance", build.share .. "/backends/process", "--filter=plan" }
    assert.equal(0, ran.code, ran.out .. ran.err)
    assert.matches("%d+ passed, 0 failed", ran.out)
    for _, path in ipairs { "/nowhere", x.path, "--json" } do
      ran = x:run { "conformance", path }
      assert.equal(2, ran.code)
      assert.matches("expected a", ran.err)
    end
    assert.equal(2, x:run({ "conformance" }).code)
    x.dir:open("backends", true):open("broken", true):write("init.lua", "return {}")
    ran = x:run { "conformance", x.path .. "/backends/broken" }
    assert.is_true(ran.code > 0)
    assert.matches("backend broken%.%w+: expected", ran.out)
  end))
end)
