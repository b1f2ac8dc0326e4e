local json = require "exhost.json"
local schema = require "exhost.schema"
local suggest = require "exhost.schema.suggest"

local function field(spec)
  return { type = "record", fields = { x = spec } }
end

describe("a schema's scalars", function()
  for _, case in ipairs {
    { { type = "string" }, "a", "a" }, { { type = "string" }, "", "" },
    { { type = "string" }, 1, 'x: expected a string, got 1' },
    { { type = "string" }, {}, "x: expected a string, got an object" },
    { { type = "string" }, { 1 }, "x: expected a string, got a list" },
    { { type = "string", no_nul = true }, "a\0", "x: a NUL byte is not allowed" },
    { { type = "string", min_length = 1 }, "", 'x: expected a string that is not empty, got ""' },
    { { type = "string", max_length = 2 }, "abc", "x: 3 bytes are above the limit of 2" },
    { { type = "string", pattern = "^%a$", expected = "a letter" }, "1",
      'x: expected a letter, got "1"' },
    { { type = "string", pattern = "^%a$", expected = "a letter", secret = true }, "1",
      "x: expected a letter" },
    { { type = "boolean" }, false, false }, { { type = "boolean" }, true, true },
    { { type = "boolean" }, "yes", 'x: expected true or false, got "yes"' },
    { { type = "number" }, 0.5, 0.5 }, { { type = "number" }, -2 ^ 53, -2 ^ 53 },
    { { type = "number", above = 0 }, -1, "x: expected a number above 0, got -1" },
    { { type = "number", above = 0 }, 0, "x: expected a number above 0, got 0" },
    { { type = "number", above = 0 }, "1", 'x: expected a number above 0, got "1"' },
    { { type = "number" }, 2 ^ 53 + 2, "x: expected a number, got 9007199254740994" },
    { { type = "number" }, -1e300, "x: expected a number, got -1e+300" },
    { { type = "number" }, 0 / 0, nil, "x: expected a number, got " },
    { { type = "integer" }, math.huge, nil, "x: expected a whole number, got " },
    { { type = "integer" }, 7, 7 }, { { type = "integer", min = 0, max = 9 }, 9, 9 },
    { { type = "integer" }, 1.5, "x: expected a whole number, got 1.5" },
    { { type = "integer", min = 0, max = 65535 }, 70000,
      "x: expected a whole number from 0 to 65535, got 70000" },
    { { type = "integer", min = 1 }, 0, "x: expected a whole number of 1 or more, got 0" },
    { { type = "integer", max = 3 }, 4, "x: expected a whole number up to 3, got 4" },
    { { type = "integer" }, 2 ^ 53 + 2, "x: expected a whole number, got 9007199254740994" },
    { { type = "bytes" }, "aGkA/w==", "hi\0\255" }, { { type = "bytes" }, "", "" },
    { { type = "bytes" }, "a*", "x: not base64: bad character at position 2 of 2" },
    { { type = "bytes" }, 3, "x: expected base64 text, got 3" },
    { { type = "duration_ns" }, 1800e9, 1800 }, { { type = "duration_ns" }, 0, 0 },
    { { type = "duration_ns" }, 1.5, "x: expected whole nanoseconds, got 1.5" },
    { { type = "duration_ns" }, -1, nil, "x: expected whole nanoseconds" },
    { { type = "duration_ns" }, "30m", 'x: expected whole nanoseconds, got "30m"' },
    { { type = "duration_ns", max = 1 }, 2e9, "x: expected a number of seconds up to 1, got 2" },
    { { type = "duration" }, "1m30s", 90 }, { { type = "duration" }, 0.2, 0.2 },
    { { type = "duration" }, "soon", 'x: expected a duration such as 1m30s, got "soon"' },
    { { type = "duration" }, true, "x: expected a duration, got true" },
    { { type = "duration", above = 0 }, "0s", 'x: expected a duration above 0, got "0s"' },
    { { type = "size" }, "1.5k", 1536 }, { { type = "size" }, 10, 10 },
    { { type = "size" }, "big", 'x: expected a size such as 64m or 1.5g, got "big"' },
    { { type = "size" }, {}, "x: expected a size, got an object" },
    { { type = "enum", values = { "a", "b", "c" } }, "b", "b" },
    { { type = "enum", values = { "Aa", "b" }, any_case = true }, "aA", "Aa" },
    { { type = "enum", values = { "a", "b", "c" } }, "B", 'x: expected "a", "b" or "c", got "B"' },
    { { type = "enum", values = { "a" } }, 1, 'x: expected "a", got 1' },
    { { type = "list", all = true, of = { type = "string" } }, "all", "all" },
    { { type = "list", all = true, of = { type = "string" } }, "any",
      'x: expected a list or "all", got "any"' },
  } do
    local spec, value, wanted, part = case[1], case[2], case[3], case[4]
    it(("take %s for a %s"):format(json.encode { value } or tostring(value), spec.type), function()
      local got, err, code = schema.check(field(spec), { x = value })
      if got then
        assert.same({ x = wanted }, got)
      else
        assert.equal("invalid", code)
        if part then
          assert.truthy(err:find(part, 1, true), err)
        else
          assert.equal(wanted, err)
        end
      end
    end)
  end
end)

describe("a schema's containers", function()
  local port = { type = "record", fields = { ip = { type = "string", names = { "IP" } } } }
  local spec = { type = "record", fields = {
    ports_to_bind = { type = "list", of = port, names = { "PortsToBind" } },
    words = { type = "list", of = { type = "string" } },
    scripts = { type = "map", of = { type = "bytes" }, key = { pattern = "^%a+$",
      expected = "a name of letters" } },
    job_id = { type = "string", names = { "JobID" } },
    flag = { type = "boolean", default = true },
    time = { type = "duration", default = "1m" },
    extra = { type = "any" },
    loose = { type = "record", unknown = "warn", fields = { size = { type = "integer" } } },
    blank = { type = "string", absent = "" },
    cores = { type = "number", absent = 0, above = 0 },
    small = { type = "integer", check = function(value, warn)
      if value > 9 then return nil, "too many" end
      if value > 5 then warn("many") end
      return value * 2
    end },
  } }

  local function checked(value, opts)
    return schema.check(spec, value, opts)
  end

  it("answer canonical names, defaults and nothing else", function()
    assert.same({ job_id = "a", flag = true, time = 60 }, (checked { JobID = "a" }))
    assert.same({ flag = false, time = 2 }, (checked { flag = false, time = 2 }))
    assert.same({ flag = true, time = 60 }, (checked { blank = "", cores = 0 }))
  end)

  it("answer fresh, marked lists", function()
    local words = { "a" }
    local value = checked { words = words, PortsToBind = {}, extra = { a = { 1, { 2 } } } }
    assert.is_true(json.is_array(value.words))
    assert.is_true(json.is_array(value.ports_to_bind))
    assert.is_true(json.is_array(value.extra.a[2]))
    assert.is_false(json.is_array(words))
    assert.equal('{"extra":{"a":[1,[2]]},"flag":true,"ports_to_bind":[],"time":60,"words":["a"]}',
      json.encode(value))
  end)

  it("answer warnings with their path", function()
    local value, warnings = checked { small = 7, loose = { sise = 1, size = 2 } }
    assert.equal(14, value.small)
    assert.same({ size = 2 }, value.loose)
    assert.same({ 'loose.sise: unknown field (did you mean "size"?)', "small: many" }, warnings)
    value, warnings = checked({ imagee = 1 }, { lenient = true, path = "settings" })
    assert.is_table(value)
    assert.same({ "settings.imagee: unknown field" }, warnings)
  end)

  for _, case in ipairs {
    { { PortsToBind = { { IP = 1 } } }, "ports_to_bind[1].ip: expected a string, got 1" },
    { { words = { "a", false } }, "words[2]: expected a string, got false" },
    { { words = { a = 1 } }, "words: expected a list, got an object" },
    { { words = { [2] = "a" } }, nil, "words: expected a list" },
    { { words = "a" }, 'words: expected a list, got "a"' },
    { { scripts = { ["a/b"] = "" } }, 'scripts: expected a name of letters, got "a/b"' },
    { { scripts = { ab = "????" } }, nil, "scripts.ab: not base64" },
    { { scripts = { "x" } }, "scripts: expected an object, got a list" },
    { { loose = { 1 } }, "loose: expected an object, got a list" },
    { { job_id = "a", JobID = "a" }, 'job_id: given twice, as "JobID" and as "job_id"' },
    { { jobid = "a" }, 'unknown field "jobid" (did you mean "JobID"?)' },
    { { bogus = 1 }, 'unknown field "bogus"' },
    { { ports_to_bind = { { ipp = 1 } } }, nil, "ports_to_bind[1].ipp: unknown field" },
    { { small = 10 }, "small: too many" },
    { { extra = { a = { 1, 1e17 } } }, nil, "extra.a[2]: expected a number up to 2^53" },
    { { extra = print }, "extra: expected data, got a function" },
    { { extra = { 1, x = 2 } }, nil, "extra: expected data" },
    { {}, "job: required, but not given", nil, field { type = "string" } },
    { "x", 'expected an object, got "x"' }, { nil, "required, but not given" },
  } do
    it("refuse with " .. (case[2] or case[3]), function()
      local inner = case[4] and { type = "record", fields = { job = { type = "string",
        required = true } } }
      local value, err, code = schema.check(inner or spec, case[1])
      assert.is_nil(value)
      assert.equal("invalid", code)
      if case[2] then assert.equal(case[2], err) end
      if case[3] then assert.truthy(err:find(case[3], 1, true), err) end
    end)
  end

  it("refuse what contains itself", function()
    local loop = {}
    loop.x = loop
    local _, err = checked { extra = loop }
    assert.truthy(err:find("nested too deeply", 1, true))
  end)

  it("take a prefix for the path", function()
    local _, err = checked({ words = 1 }, { path = "engine_spec.params" })
    assert.equal("engine_spec.params.words: expected a list, got 1", err)
  end)

  it("are a programmer's mistake with an unknown type", function()
    assert.has_error(function() schema.check({ type = "strnig" }, 1) end)
  end)
end)

describe("a suggestion", function()
  for wrong, wanted in pairs {
    imagee = "image", iamge = "image", Image = "image", working_dir = false, workingdirectory =
    "working_directory", cmds = "cmd", x = false, environmnet = "environment",
  } do
    it("for " .. wrong, function()
      local names = { "cmd", "environment", "image", "working_directory" }
      assert.equal(wanted or nil, suggest.nearest(wrong, names))
    end)
  end

  it("counts edits", function()
    for _, case in ipairs {
      { "", "", 0 }, { "a", "", 1 }, { "ab", "ba", 1 }, { "kitten", "sitting", 3 },
    } do
      assert.equal(case[3], suggest.distance(case[1], case[2]))
    end
  end)
end)
