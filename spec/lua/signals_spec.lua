local signals = require "exhost.signals"

describe("a signal", function()
  for name, number in pairs {
    TERM = 15, SIGTERM = 15, sigquit = 3, [9] = 9, ["9"] = 9, ["SIGRTMIN+3"] = 37, ["RTMAX-1"] = 63,
    SIGRTMIN = 34, RTMAX = 64, [37] = 37, SIGIOT = 6, [" int "] = 2,
  } do
    it("is found by " .. name, function()
      assert.equal(number, signals.number(name))
    end)
  end

  for _, name in ipairs { "SIGFOO", "", "0", "65", 0, 65, 1.5, "RTMIN-1", "RTMAX+1", "RTMAX-31",
    "SIGSIGTERM", true } do
    it("is not " .. tostring(name), function()
      assert.same({ nil, ('unknown signal "%s"'):format(tostring(name)) }, { signals.number(name) })
    end)
  end

  it("has a name that finds it", function()
    for number = 1, 64 do assert.equal(number, signals.number(signals.name(number))) end
    assert.equal("SIGTERM", signals.name(15))
    assert.equal("SIGRTMIN+3", signals.name(37))
  end)
end)
