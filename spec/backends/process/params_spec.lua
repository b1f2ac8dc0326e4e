local json = require "exhost.json"
local params = require "backends.process.params"
local request = require "exhost.request"
local schema = require "exhost.schema"

local PATH = "engine_spec.params"

local function check(fields)
  local value = { cmd = { "true" } }
  for key, item in pairs(fields) do value[key] = item end
  return schema.check(params, value, { path = PATH })
end

describe("the params of a process", function()
  it("keep every byte", function()
    local environment = { "MULTI=l1\nl2\n", "Q=a\"b'c\\d$HOME `x`", "EQ=a=b=c", "EMPTY=",
      "UNI=naïve 日本", "SP= x ", "BYTES=\255\128" }
    local cmd = { "printf", "%s|", "a b", "", "$HOME", "*", "x\ny" }
    assert.same({ environment = environment, cmd = cmd },
      (check { environment = environment, cmd = cmd }))
  end)

  it("keep the last of entries with one key", function()
    local value = check { environment = { "A=1", "B=1", "A=2", "AB=3", "A=" } }
    assert.same({ "B=1", "AB=3", "A=" }, value.environment)
    assert.is_true(json.is_array(value.environment))
  end)

  it("may be as long as Linux allows", function()
    local longest = "A=" .. ("x"):rep(131069)
    assert.same({ longest }, check { environment = { longest } }.environment)
    assert.is_table(check { cmd = { "true", ("x"):rep(131071) } })
  end)

  for _, name in ipairs { "root", "12345", "12345:12345", "www-data:adm", "a.b_c", "0:0",
    "4294967294", "user$" } do
    it("have the user " .. name, function()
      assert.equal(name, check { user = name }.user)
    end)
  end

  it("leave out what Go leaves empty", function()
    assert.same({ cmd = { "true" } }, (check { user = "", working_directory = "" }))
    assert.same({ entrypoint = { "a" }, cmd = {} }, (check { entrypoint = { "a" }, cmd = {} }))
  end)

  it("have limits", function()
    assert.same({ nofile = { soft = 64, hard = 64 }, core = { soft = 0, hard = 9 } },
      check { rlimits = { nofile = 64, core = { soft = 0, hard = 9 } } }.rlimits)
    assert.equal(1, check { pids = 1 }.pids)
  end)

  for _, case in ipairs {
    { { environment = { "NOEQUALS" } }, "environment[1]: expected KEY=VALUE" },
    { { environment = { "A=1", "=x" } }, "environment[2]: expected KEY=VALUE, got an empty key" },
    { { environment = { "" } }, "environment[1]: expected KEY=VALUE" },
    { { environment = { "A=\0" } }, "environment[1]: a NUL byte is not allowed" },
    { { environment = { "A=1", "B=" .. ("x"):rep(131070) } },
      "environment[2]: 131072 bytes are above the limit of 131071" },
    { { environment = { A = "1" } }, "environment: expected a list, got an object" },
    { { cmd = { "a", "b\0" } }, "cmd[2]: a NUL byte is not allowed" },
    { { cmd = { "a", ("x"):rep(131072) } }, "cmd[2]: 131072 bytes are above the limit" },
    { { cmd = "true" }, 'cmd: expected a list, got "true"' },
    { { cmd = { "a", 1 } }, "cmd[2]: expected a string, got 1" },
    { { cmd = {} }, "engine_spec.params: nothing to run" },
    { { cmd = { "" } }, "engine_spec.params: nothing to run: the first word" },
    { { entrypoint = { "" } }, "engine_spec.params: nothing to run: the first word" },
    { { cmd = {}, environment = { "A=1" } }, "engine_spec.params: nothing to run" },
    { { working_directory = "tmp" }, 'working_directory: expected an absolute path, got "tmp"' },
    { { working_directory = "/a\0" }, "working_directory: a NUL byte" },
    { { user = "a:b:c" }, "user: expected" }, { { user = ":b" }, "user: expected" },
    { { user = "a:" }, "user: expected" }, { { user = "a b" }, "user: expected" },
    { { user = "4294967295" }, "user: expected" }, { { user = 0 }, "user: expected a string" },
    { { user = "-1" }, "user: expected" }, { { user = "a/b" }, "user: expected" },
    { { rlimits = { files = 1 } }, 'rlimits: unknown limit "files"; known are as, core' },
    { { rlimits = { nofile = -1 } }, "rlimits.nofile: expected a whole number" },
    { { rlimits = { nofile = 1.5 } }, "rlimits.nofile: expected a whole number" },
    { { rlimits = { nofile = { soft = 1 } } }, "rlimits.nofile: expected" },
    { { rlimits = { nofile = { soft = 2, hard = 1 } } }, "rlimits.nofile: the soft limit" },
    { { rlimits = { nofile = { soft = 1, hard = 2, x = 3 } } },
      'rlimits.nofile: unknown field "x"' },
    { { rlimits = { nofile = "1" } }, "rlimits.nofile: expected" },
    { { pids = 0 }, "pids: expected a whole number of 1 or more, got 0" },
    { { image = "busybox" }, "engine_spec.params.image: unknown field" },
    { { privileged = true }, "engine_spec.params.privileged: unknown field" },
    { { restart_policy = "no" }, "engine_spec.params.restart_policy: unknown field" },
    { { enviroment = {} }, 'enviroment: unknown field (did you mean "environment"?)' },
  } do
    it("are refused with " .. case[2], function()
      local value, err, code = check(case[1])
      assert.is_nil(value)
      assert.equal("invalid", code)
      assert.equal(PATH, err:sub(1, #PATH))
      assert.truthy(err:find(case[2], 1, true), err:sub(1, 200))
    end)
  end

  it("do not show what may be a secret", function()
    local _, err = check { environment = { "hunter2" } }
    assert.is_nil(err:find("hunter2", 1, true))
  end)

  it("fit in what Linux gives to a new program", function()
    local environment = {}
    for i = 1, 20 do environment[i] = "K" .. i .. "=" .. ("x"):rep(110000) end
    local _, err = check { environment = environment }
    assert.truthy(err:find("above the limit of 2097152", 1, true), err)
  end)

  it("are a part of the request", function()
    local asked = request.normalise({ job_id = "e1", engine_spec = { params = { cmd = { "a" } } } },
      { params = { process = params } })
    assert.same({ cmd = { "a" } }, asked.engine_spec.params)
    local _, err = request.normalise({ job_id = "e1" }, { params = { process = params } })
    assert.equal("engine_spec.params: nothing to run: entrypoint and cmd are empty", err)
  end)
end)
