local doctor = require "exhost.doctor"
local executor = require "exhost.executor"
local scratch = require "support.scratch"

describe("doctor", function()
  it("examines everything, and advises where something is wrong", scratch.with(function(_, path)
    local ex = assert(executor.open { id = "spec", state_dir = path .. "/state",
      settings = { backends = { docker = { host = path .. "/no.sock" } } } })
    local by_name = {}
    for _, entry in ipairs(doctor.examine(ex)) do
      assert.is_truthy(({ ok = true, warn = true, fail = true })[entry.status], entry.name)
      assert.is_string(entry.found)
      if entry.status ~= "ok" then assert.is_string(entry.advice, entry.name) end
      by_name[entry.name] = entry
    end
    for _, name in ipairs { "kernel", "kernel features", "cdi", "gpu groups", "gpus",
      "firecracker kvm", "control groups", "state folder", "open files",
      "inotify watches", "backend process", "policy cpu", "policy nvidia" } do
      assert.is_truthy(by_name[name], name)
    end
    assert.equal("ok", by_name.kernel.status)
    assert.equal("ok", by_name["kernel features"].status, by_name["kernel features"].found)
    assert.equal("warn", by_name["docker engine"].status)
    assert.matches("no.sock cannot be reached: no such file or directory",
      by_name["docker engine"].found)
    ex:close()
  end))
end)
