local settings = require "backends.docker.settings"

describe("docker settings", function()
  it("have defaults, and durations as people write them", function()
    assert.same({ pull_timeout = 3600, pull_silence = 300, disk_limits = false,
      helper_timeout = 30 }, settings.check(nil))
    assert.equal(90, settings.check({ pull_silence = "90s" }).pull_silence)
  end)

  it("that are not known are errors with their path", function()
    local _, err, code = settings.check { hosts = "unix:///x" }
    assert.equal("invalid", code)
    assert.matches('^settings: backends%.docker%.hosts: unknown field.*"host"', err)
  end)
end)
