local json = require "exhost.json"
local text = require "exhost.text"

local function nested(depth)
  return ("["):rep(depth) .. ("]"):rep(depth)
end

describe("json.decode", function()
  it("drops nulls of objects at every depth", function()
    assert.same({ a = 1, c = { e = false } },
     json.decode '{"a":1,"b":null,"c":{"d":null,"e":false}}')
  end)

  it("keeps strings as bytes, NUL and all", function()
    assert.equal("a\0b", json.decode '"a\\u0000b"')
    assert.equal("\255\128", json.decode('"\255\128"'))
    assert.equal("日本", json.decode '"\\u65e5\\u672c"')
    assert.same({ a = "\239\187\191" }, json.decode '\239\187\191{"a":"\239\187\191"}')
  end)

  it("marks arrays that have items", function()
    local value = json.decode '{"a":[1,[2]],"b":{"1":2}}'
    assert.is_true(json.is_array(value.a))
    assert.is_true(json.is_array(value.a[2]))
    assert.is_false(json.is_array(value.b))
    assert.is_false(json.is_array(value))
    assert.equal(2, value.b["1"])
  end)

  it("lets the last of two equal keys win", function()
    assert.same({ a = 2 }, json.decode '{"a":1,"a":2}')
  end)

  it("does not round integers up to 2^53", function()
    assert.equal(2 ^ 53, json.decode "9007199254740992")
    assert.equal(100000000000001, json.decode "100000000000001")
  end)

  it("lets no number above 2^53 pass for it, and leaves text alone", function()
    for _, source in ipairs { "9007199254740993", "9007199254740993.0", "9.007199254740993e15",
      "9007199254740992.5", "90071992547409930e-1", "9007199254740992.0001" } do
      assert.equal(2 ^ 53 + 2, json.decode(source), source)
      assert.equal(-2 ^ 53 - 2, json.decode("-" .. source), source)
    end
    for _, source in ipairs { "9007199254740992.0", "9.007199254740992e15", "0.9007199254740992e16",
      "90071992547409920e-1" } do
      assert.equal(2 ^ 53, json.decode(source), source)
    end
    local source = [[{"a 9007199254740993":"9007199254740993, \\\"9007199254740993","n":]]
    local value = json.decode(source .. "[9007199254740993,1,9007199254740991]}")
    assert.same({ 2 ^ 53 + 2, 1, 2 ^ 53 - 1 }, value.n)
    assert.equal('9007199254740993, \\"9007199254740993', value["a 9007199254740993"])
    for _, torn in ipairs { '["9007199254740993', '["9007199254740993\\', '[9007199254740993' } do
      assert.is_nil((json.decode(torn)))
    end
  end)

  it("keeps the null of one member where it is asked to", function()
    local value = json.decode('{"id":null,"b":null,"c":{"id":null}}', "id")
    assert.same({ id = json.null, c = {} }, value)
    assert.same({ b = 1 }, json.decode('{"b":1}', "id"))
    assert.same({ 1 }, json.decode("[1]", "id"))
  end)

  for _, case in ipairs {
    { "null", "expected a value, got null" }, { "", "not JSON" }, { "{", "not JSON" },
    { "[1,]", "not JSON" }, { "{1:2}", "not JSON" }, { "[1] x", "not JSON" },
    { "{}\0{}", "NUL" }, { "[NaN]", "not JSON" }, { "[Infinity]", "not JSON" },
    { "[0x10]", "not JSON" }, { "[+1]", "not JSON" }, { "'a'", "not JSON" },
    { '"\\ud800"', "not JSON" }, { "1e999", "the number is too big" },
    { '{"a":[0,-1e999]}', "a[2]: the number is too big" },
    { '{"a":{"b c":[1,null]}}', 'a["b c"][2]: null in an array' },
    { "[null]", "[1]: null in an array" }, { nested(101), "nested" },
    { ("["):rep(100000), "nested" },
  } do
    it("refuses " .. text.quote(case[1], 30), function()
      local value, err = json.decode(case[1])
      assert.is_nil(value)
      assert.truthy(err:find(case[2], 1, true), err)
    end)
  end

  it("takes a hundred levels", function()
    assert.is_table(json.decode(nested(100)))
  end)

  it("wants a string", function()
    assert.has_error(function() json.decode(nil) end, "json.decode: expected a string")
  end)
end)

describe("json.encode", function()
  -- Every line of style.md P18, and what the design adds.
  for _, case in ipairs {
    { {}, "{}" }, { json.array(), "[]" }, { { a = json.array {} }, '{"a":[]}' },
    { json.array { 1, 2 }, "[1,2]" }, { { 1, { 2 } }, "[1,[2]]" }, { { "a" }, '["a"]' },
    { { b = 1, a = 2, ["a b"] = 3, A = 4 }, '{"A":4,"a":2,"a b":3,"b":1}' },
    { 2 ^ 53, "9007199254740992" }, { -2 ^ 53, "-9007199254740992" }, { 1e14, "100000000000000" },
    { 67108864, "67108864" }, { 17179869184, "17179869184" }, { -0.0, "0" },
    { 2 ^ 63, "9223372036854775808" }, { 1e300, "1e+300" }, { 4.1, "4.1" }, { 0.1, "0.1" },
    { 0.1 + 0.2, "0.30000000000000004" }, { 1 / 3, "0.3333333333333333" }, { 5e-324, nil },
    { true, "true" }, { false, "false" }, { json.null, "null" },
    { { id = json.null }, '{"id":null}' },
    { "a/b", '"a/b"' }, { 'q"\\', '"q\\"\\\\"' }, { "\b\f\n\r\t", '"\\b\\f\\n\\r\\t"' },
    { "\0\1\31\127", '"\\u0000\\u0001\\u001f\\u007f"' }, { "naïve 日本", '"naïve 日本"' },
    { "hi\128\0\255end", '"hi\239\191\189\\u0000\239\191\189end"' },
    { { ["k\255"] = 1 }, '{"k\239\191\189":1}' },
  } do
    it("writes " .. (case[2] or "the smallest number"), function()
      local encoded = assert(json.encode(case[1]))
      if case[2] then assert.equal(case[2], encoded) end
      assert.not_nil(json.decode("[" .. encoded:gsub("null", "0") .. "]"))
    end)
  end

  it("indents by two spaces", function()
    assert.equal('{\n  "a": [\n    1,\n    {}\n  ],\n  "b": []\n}',
      json.encode({ b = json.array(), a = { 1, {} } }, { indent = true }))
  end)

  local cycle = { x = {} }
  cycle.x[1] = cycle
  local deep = {}
  for _ = 1, 101 do deep = { deep } end
  for name, case in pairs {
    ["not a number"] = { { a = { b = { 1, 0 / 0 } } },
     "cannot encode a.b[2]: not a finite number" },
    infinity = { math.huge, "cannot encode the value: not a finite number" },
    ["a mixed table"] = { { q = { 1, x = 2 } },
     "cannot encode q: a table is both array and object" },
    ["a sparse table"] = { { [1] = 1, [3] = 3 }, "cannot encode the value: an array has holes" },
    ["a far index"] = { { q = { [10] = 1 } }, "cannot encode q: an array has holes" },
    ["a fraction as key"] = { { [1.5] = 1 }, "cannot encode the value: an array has holes" },
    ["a boolean as key"] = { { [true] = 1 }, "cannot encode the value: a key is a boolean" },
    ["a key in an array"] = { json.array { x = 1 },
      "cannot encode x: an array has a name" },
    ["a cycle"] = { cycle, "cannot encode x[1]: a table contains itself" },
    ["a function"] = { { ["a b"] = print }, 'cannot encode ["a b"]: a function has no JSON form' },
    ["nil"] = { nil, "cannot encode the value: a nil has no JSON form" },
  } do
    it("refuses " .. name, function()
      assert.same({ nil, case[2] }, { json.encode(case[1]) })
    end)
  end

  it("refuses what is nested too deeply", function()
    local _, err = json.encode(deep)
    assert.truthy(err:find("nested too deeply", 1, true))
  end)

  it("writes one table twice where it is no cycle", function()
    local shared = { 1 }
    assert.equal('{"a":[1],"b":[1]}', json.encode { a = shared, b = shared })
  end)
end)

describe("a JSON round trip", function()
  local function anything(depth)
    local kind = math.random(depth > 0 and 7 or 5)
    if kind == 1 then return math.random() < 0.5 end
    if kind == 2 then return math.random(-2 ^ 31, 2 ^ 31) * math.random(0, 2 ^ 21) end
    if kind == 3 then return (math.random() - 0.5) * 10 ^ math.random(-300, 300) end
    if kind <= 5 then
      local parts = {}
      for i = 1, math.random(0, 12) do
        parts[i] = math.random() < 0.8 and string.char(math.random(0, 127)) or "é日🙂"
      end
      return table.concat(parts)
    end
    local value = {}
    for i = 1, math.random(1, 5) do
      value[kind == 6 and i or "k " .. math.random(9) .. i] = anything(depth - 1)
    end
    return value
  end

  it("gives equal values, and the same text the second time", function()
    math.randomseed(7)
    for _ = 1, 1000 do
      local value = anything(4)
      local encoded = assert(json.encode(value))
      local back = json.decode(encoded)
      assert.same(value, back)
      assert.equal(encoded, json.encode(back))
      assert.same(value, json.decode(assert(json.encode(value, { indent = true }))))
    end
  end)

  it("always writes valid UTF-8, whatever the bytes", function()
    for _ = 1, 300 do
      local bytes = {}
      for i = 1, math.random(0, 40) do bytes[i] = string.char(math.random(0, 255)) end
      local encoded = json.encode(table.concat(bytes))
      assert.is_true(text.valid(encoded))
      assert.equal((text.clean(table.concat(bytes))), json.decode(encoded))
    end
  end)
end)

describe("json.encode_raw", function()
  it("keeps bytes and numbers, also those that cjson would round", function()
    for _, value in ipairs { { a = "\255\0x", b = { 1, 2, 0.5 } }, { n = 2 ^ 53, f = 0.1 + 0.2 },
      { n = 1e15 + 1 }, { n = -99999999999999 } } do
      local back = require("cjson").decode((assert(json.encode_raw(value))))
      assert.same(value, back)
    end
    assert.is_nil((json.encode_raw { f = function() end }))
  end)

  it("keeps empty arrays apart from empty objects where it is told to", function()
    for _, source in ipairs { "[]", '{"a":[],"b":{},"c":[[],{},[1]]}', '[{"x":"[]"},"\\"[]",[]]',
      '{"[]":[]}', "7", '"[]"' } do
      assert.equal(source, json.encode(assert(json.decode_marked(source))))
    end
    assert.equal("[]", json.encode(json.decode_marked " [ \n ] "))
    assert.matches("not JSON", select(2, json.decode_marked "[]]"))
  end)
end)
