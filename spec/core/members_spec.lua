local json = require "exhost.json"
local scratch = require "support.scratch"

local WANTED = { phase = true, code = true, on = true, gone = true, list = true }

describe("dir:members", function()
  local function members(dir, text)
    assert(dir:write("f", text))
    local into = {}
    return dir:members("f", WANTED, into), into
  end

  it("gives the members that are asked for, as decoding does", scratch.with(function(dir)
    local deep = ("["):rep(3000) .. '"]}\\""' .. ("]"):rep(3000)
    local cases = {
      "{}", " { \n} ", '{"phase":"x","code":-12.5e2,"on":true}', '{"phase":"","on":false}',
      '{"other":{"phase":"inner"},"phase":"outer","nested":[{"code":1}],"code":2}',
      '{"phase":"a","phase":"b","gone":null}', '{"a\\"b":"phase","c":"\\\\","code":1}',
      '{\t"phase" : "caf\195\169" ,\r\n"code":9007199254740992}',
      '{"deep":' .. deep .. ',"on":true}',
    }
    for _, text in ipairs(cases) do
      local ok, into = members(dir, text)
      assert.is_true(ok, text:sub(1, 60))
      local expected = {}
      for name, value in pairs(text:find("[[[", 1, true) and { on = true } or json.decode(text)) do
        if WANTED[name] then expected[name] = value end
      end
      assert.same(expected, into)
    end
  end))

  it("says no to what is not plain, no object, not whole, or long", scratch.with(function(dir)
    for _, text in ipairs {
      "", "[]", "1", "null", '{"phase":"x"', '{"phase":"x"}}', '{"phase":"x"}\0', '{"phase"}',
      '{"phase":}', '{"phase":"x",}', '{"phase":"\\u0041"}', '{"list":[]}', '{"list":{}}',
      '{"code":0x10}', '{"code":nan}', '{"code":1e999}', '{"code":1-2}', '{"on":yes}',
      '{"phase":"a\nb"}', '{"deep":[[],"on":true}', '{"phase":"x" "on":true}', ("\0"):rep(100),
      '{"phase":"x","pad":"' .. ("x"):rep(16 * 1024) .. '"}',
    } do
      assert.is_false((members(dir, text)), text:sub(1, 60))
    end
    assert.equal("ENOENT", select(3, dir:members("none", WANTED, {})))
    assert.is_false(pcall(dir.members, dir, "f", WANTED))
  end))

  it("survives every cut of a text", scratch.with(function(dir)
    local text = '{"cgroups":{"parents":["a","b\\"}"]},"phase":"running","code":1,"on":true}'
    for n = 0, #text - 1 do
      assert.is_false((members(dir, text:sub(1, n))), text:sub(1, n))
    end
  end))
end)
