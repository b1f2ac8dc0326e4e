--- The examples of the READMEs are run, so that they stay true.

local cli = require "support.cli"

local function read(path)
  local file = assert(io.open(path, "r"))
  local text = file:read("*a")
  file:close()
  return text
end

--- Fenced blocks: { info, content, line }.
local function blocks(path)
  local list, block, number = {}, nil, 0
  for line in read(path):gmatch("([^\n]*)\n") do
    number = number + 1
    local info = line:match("^```(.*)$")
    if info and not block then
      block = { info = info, line = number, lines = {} }
    elseif info then
      block.content = table.concat(block.lines, "\n") .. "\n"
      list[#list + 1], block = block, nil
    elseif block then
      block.lines[#block.lines + 1] = line
    end
  end
  return list
end

describe("lua/README.md", function()
  local list = blocks("lua/README.md")
  for i, block in ipairs(list) do
    if block.info == "lua" then
      it("is true in line " .. block.line, cli.with(function(x)
        x.dir:write("example.lua", block.content)
        local ran = x:run { "lua", x.path .. "/example.lua" }
        assert.same({ 0, "" }, { ran.code, ran.err })
        local expected = list[i + 1]
        if expected and expected.info == "text" then
          assert.equal(expected.content, ran.out)
        end
      end))
    elseif block.info == "sh" then
      it("is true in line " .. block.line, cli.with(function(x)
        local ran = x:sh("exhost() { \"$exhost\" \"$@\"; }\n" .. block.content)
        assert.same({ list[i + 1].content, "" }, { ran.out, ran.err })
      end))
    end
  end
end)

describe("README.md", function()
  it("has five minutes at a live node", cli.with(function(x)
    for _, block in ipairs(blocks("README.md")) do
      if block.info == "sh" then
        local ran = x:sh("set -e\nexhost() { \"$exhost\" \"$@\"; }\n"
          .. block.content:gsub("exhost serve", "\"$exhost\" serve"))
        assert.equal(0, ran.code, ran.out .. ran.err)
        for _, part in ipairs { "EXECUTION", "slow +slow +process +running", "\nrunning\t1\n",
          "concluded .*cancelled", 'exhost_executions{.*reason="cancelled"' } do
          assert.matches(part, ran.out)
        end
        return
      end
    end
    error("no block of commands")
  end))

  it("has the example in Go", function()
    for _, block in ipairs(blocks("README.md")) do
      if block.info == "go" then
        assert.equal(read("bindings/examples/follow-go/main.go"), block.content)
        return
      end
    end
    error("no block in Go")
  end)
end)

describe("bindings/README.md", function()
  it("names every method and its parameters", function()
    local text = read("bindings/README.md"):match("\n## Embedding\n.*$")
    for name, method in pairs(require("exhost.rpc").METHODS) do
      assert.is_truthy(text:find("`" .. name .. "`", 1, true), name)
      for parameter in pairs(method.params) do
        assert.is_truthy(text:find(parameter, 1, true), name .. ": " .. parameter)
      end
    end
  end)
end)

describe("backends/README.md", function()
  it("has a backend that passes the conformance specs", cli.with(function(x)
    local folder = x.dir:open("backends", true):open("bare", true)
    local found = 0
    for _, block in ipairs(blocks("backends/README.md")) do
      local file = block.info:match("^lua backends/bare/(.+)$")
      if file then
        folder:write(file, block.content)
        found = found + 1
      end
    end
    assert.equal(2, found)
    local ran = x:run { "--lua-path", x.path, "run", "-b", "bare", "--", "echo", "hello" }
    assert.same({ 0, "hello\n", "" }, { ran.code, ran.out, ran.err })
    ran = x:run { "conformance", x.path .. "/backends/bare" }
    assert.equal(0, ran.code, ran.out .. ran.err)
    assert.matches("%d+ passed, 0 failed", ran.out)
  end))

  it("names every field of the contract", function()
    local text = read("backends/README.md")
    local contract = read("lua/exhost/backend.lua"):match("local CONTRACT = {(.-)}")
    for name in contract:gmatch("([%a_]+) = \"") do
      assert.is_truthy(text:find("`" .. name .. "`", 1, true) or name == "health"
        or name == "inventory", name)
    end
  end)
end)
