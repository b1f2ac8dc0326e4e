local times = require "exhost.times"

describe("a time", function()
  for source, wanted in pairs {
    ["1970-01-01T00:00:00Z"] = { 0, 0 }, ["2026-01-02T03:04:05Z"] = { 1767323045, 0 },
    ["2026-01-02T03:04:05.000000001Z"] = { 1767323045, 1 },
    ["2024-02-29T23:59:59.5Z"] = { 1709251199, 5e8 }, ["1969-12-31T23:59:59Z"] = { -1, 0 },
  } do
    it("is " .. source .. " in both directions", function()
      assert.same(wanted, { times.parse_rfc3339(source) })
      assert.equal(source, times.rfc3339(wanted[1], wanted[2]))
    end)
  end

  it("may have another zone", function()
    assert.equal(1767323045, times.parse_rfc3339 "2026-01-02T05:04:05+02:00")
    assert.equal(1767323045, times.parse_rfc3339 "2026-01-01 22:04:05-05:00")
  end)

  for _, source in ipairs { "", "2026-01-02", "2026-13-01T00:00:00Z", "2025-02-29T00:00:00Z",
    "2026-01-02T24:00:00Z", "2026-01-02T00:00:00", "2026-01-02T00:00:00+25:00" } do
    it("is not " .. source, function()
      assert.is_nil((times.parse_rfc3339(source)))
    end)
  end

  it("may be long ago", function()
    assert.same({ "ago", 940, 0 }, { times.since("1m", 1000) })
    assert.same({ "ago", 999, 8e8 }, { times.since("200ms", 1000) })
    assert.same({ "time", 0, 0 }, { times.since("1970-01-01T00:00:00Z", 1000) })
    assert.is_nil((times.since("soon", 1000)))
  end)
end)
