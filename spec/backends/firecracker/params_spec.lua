local metadata = require "backends.firecracker.metadata"
local params = require "backends.firecracker.params"
local schema = require "exhost.schema"

local NETWORK = { address = "172.30.5.2/30", gateway = "172.30.5.1" }

local function check(fields)
  local value = { kernel_image = "/k", root_file_system = "/r", cmd = { "true" } }
  for key, item in pairs(fields) do
    value[key] = item
    if item == "" then value[key] = nil end
  end
  return schema.check(params, value, { path = "engine_spec.params" })
end

describe("the params of a microVM", function()
  it("keep what is given, and take initrd by both of its names", function()
    local value = check { initrd = "/i", environment = { "A=1", "B=", "A=2" }, user = "12:34" }
    assert.same({ "/i", { "B=", "A=2" }, "12:34" },
      { value.initrd, value.environment, value.user })
    assert.equal("/i", check({ initrd_path = "/i" }).initrd)
    assert.equal("/i", check({ initrd_path = "/i", initrd = "/i" }).initrd)
  end)

  it("boot an image as it is without a command", function()
    local value = check { cmd = "", kernel_args = "init=/sbin/init quiet" }
    assert.equal("init=/sbin/init quiet", value.kernel_args)
  end)

  it("take metadata as an object or as text, and keep it as it was given", function()
    for _, message in ipairs { "hello", '{"a": [], "b": null}', { a = { b = 1 } } } do
      local value = check { mmds_message = message, network = NETWORK, mmds_version = "V2" }
      assert.same({ message, "V2" }, { value.mmds_message, value.mmds_version })
    end
    assert.equal('{"a": [], "b": null}', metadata.text '{"a": [], "b": null}')
    assert.equal('{"a":{"b":1}}', metadata.text { a = { b = 1 } })
    assert.equal('"say \\"hi\\""', metadata.text 'say "hi"')
    assert.is_nil(check({ mmds_message = "" }).mmds_message)
  end)

  for _, case in ipairs {
    { { mmds_message = "x" }, "mmds_message: the guest asks for it by its network interface: add "
      .. "network" },
    { { mmds_version = "V2" }, "mmds_version: no mmds_message is given" },
    { { mmds_message = "x", network = NETWORK, mmds_version = "V3" }, "mmds_version: expected" },
    { { mmds_message = 1, network = NETWORK }, "mmds_message: expected an object or text, got 1" },
    { { mmds_message = { "a" }, network = NETWORK }, "expected an object or text, got a list" },
    { { mmds_message = '{"a": }', network = NETWORK }, "it begins like a JSON object, "
      .. "but is none: " },
    { { mmds_message = '{"a": "\\ud800"}', network = NETWORK }, "it begins like a JSON object" },
    { { mmds_message = "\255", network = NETWORK }, "mmds_message: expected valid UTF-8" },
    { { mmds_message = ("x"):rep(51199), network = NETWORK }, "mmds_message: 51201 bytes of JSON: "
      .. "the monitor takes 51200" },
    { { kernel_image = "" }, "kernel_image: required, but not given" },
    { { kernel_image = "k" }, "kernel_image: expected an absolute path, got \"k\"" },
    { { root_file_system = "" }, "nothing to boot: give root_file_system, initrd or both" },
    { { root_file_system = "r" }, "root_file_system: expected an absolute path" },
    { { initrd = "/i", initrd_path = "/j" }, "initrd and initrd_path name two files" },
    { { cmd = { "" } }, "nothing to run: the first word of the command is empty" },
    { { cmd = { "a\0b" } }, "cmd[1]: a NUL byte is not allowed" },
    { { cmd = "", user = "1" }, "user is for a command, and none is given" },
    { { cmd = "", environment = { "A=1" } }, "environment is for a command" },
    { { cmd = "", working_directory = "/" }, "working_directory is for a command" },
    { { environment = { "A" } }, "environment[1]: expected KEY=VALUE" },
    { { user = "a b" }, 'user: expected "user" or "user:group", numbers or names of the guest, '
      .. 'got "a b"' },
    { { user = "4294967295" }, "user: expected" },
    { { user = "1:" }, "user: expected" }, { { user = "a:b:c" }, "user: expected" },
    { { user = "-x" }, "user: expected" },
    { { kernel_args = "a\nb" }, "kernel_args: a control character cannot be in it" },
    { { kernel_args = "rdinit=/x" }, 'kernel_args: "rdinit" cannot be given along with a command' },
    { { kernel_args = "quiet exhost.report=serial" }, '"exhost.report" is set by exhost itself' },
    { { kernel_args = ("x"):rep(1537) }, "kernel_args" },
    { { root_readonly = true }, "root_readonly: unknown field" },
    { { image = "x" }, "image: unknown field" },
  } do
    it("refuse: " .. case[2], function()
      local value, err = check(case[1])
      assert.is_nil(value)
      assert.is_truthy(err:find(case[2], 1, true), err)
    end)
  end
end)
