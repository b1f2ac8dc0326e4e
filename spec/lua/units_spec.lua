local units = require "exhost.units"

describe("a duration", function()
  for source, wanted in pairs {
    ["10s"] = 10, ["1m30s"] = 90, ["1.5h"] = 5400, ["200ms"] = 0.2, ["5us"] = 5e-6, ["5µs"] = 5e-6,
    ["2d"] = 172800, ["7"] = 7, [" 7s "] = 7, [3] = 3, [0] = 0, ["0"] = 0,
  } do
    it("is read from " .. source, function()
      assert.equal(wanted, units.duration(source))
    end)
  end

  for _, source in ipairs { "", "s", "-1s", "1x", "1m 30s", "1..5s", ".", "soon",
    -1, 1 / 0, 0 / 0 } do
    it("is not " .. tostring(source), function()
      local seconds, err = units.duration(source)
      assert.is_nil(seconds)
      assert.truthy(err:find("expected a duration", 1, true))
    end)
  end

  for _, seconds in ipairs { 0, 0.2, 5e-6, 1, 59, 60, 90, 3600, 5400, 86399, 90061.25 } do
    it("of " .. seconds .. " seconds reads back", function()
      assert.equal(seconds, units.duration(units.format_duration(seconds)))
    end)
  end
end)

describe("a size", function()
  for source, wanted in pairs {
    ["64m"] = 67108864, ["1.5G"] = 1610612736, ["10MiB"] = 10485760, ["512 kB"] = 524288,
    ["7"] = 7, ["7b"] = 7, [1024] = 1024, ["8p"] = 2 ^ 53,
  } do
    it("is read from " .. source, function()
      assert.equal(wanted, units.size(source))
    end)
  end

  for _, source in ipairs { "", "m", "-1", "1x", "1 mm", "9p", 1.5, -1, 2 ^ 54 } do
    it("is not " .. source, function()
      assert.is_nil((units.size(source)))
    end)
  end

  it("is written for people", function()
    assert.equal("100 B", units.format_size(100))
    assert.equal("64 MiB", units.format_size(67108864))
    assert.equal("1.5 GiB", units.format_size(1610612736))
  end)
end)
