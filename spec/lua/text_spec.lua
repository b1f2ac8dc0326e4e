local text = require "exhost.text"

local BAD = "\239\191\189"

describe("text", function()
  for _, case in ipairs {
    { "", "" }, { "plain", "plain" }, { "naïve 日本 🙂", "naïve 日本 🙂" },
    { "\0\127", "\0\127" },
    { "\128", BAD }, { "\255\254", BAD .. BAD },
    { "hi\128\0\255end", "hi" .. BAD .. "\0" .. BAD .. "end" },
    { "\192\175", BAD .. BAD, "overlong" },
    { "\224\128\128", BAD .. BAD .. BAD, "overlong of three" },
    { "\237\160\128", BAD .. BAD .. BAD, "a surrogate" },
    { "\244\144\128\128", BAD:rep(4), "past U+10FFFF" },
    { "\244\143\191\191", "\244\143\191\191", "U+10FFFF" },
    { "\240\159\153", BAD, "a cut character is one part" },
    { "\226\130a\226\130", BAD .. "a" .. BAD }, { "\240\159\226\130\172", BAD .. "€" },
    { "a\240\144\128", "a" .. BAD }, { "\245\128", BAD .. BAD },
  } do
    it("cleans " .. (case[3] or text.quote(case[1])), function()
      local cleaned, changed = text.clean(case[1])
      assert.equal(case[2], cleaned)
      assert.equal(case[1] ~= case[2], changed)
      assert.equal(not changed, text.valid(case[1]))
    end)
  end

  it("cleans any bytes to text, and text to itself", function()
    for _ = 1, 500 do
      local bytes = {}
      for i = 1, math.random(0, 30) do bytes[i] = string.char(math.random(100, 255)) end
      local cleaned = text.clean(table.concat(bytes))
      assert.is_true(text.valid(cleaned))
      assert.equal(cleaned, (text.clean(cleaned)))
    end
  end)

  for _, case in ipairs {
    { "abc", 3, "abc", false }, { "abc", 2, "ab", true }, { "abc", 0, "", true },
    { "é", 1, "", true },
    { "aé", 2, "a", true }, { "a€b", 2, "a", true }, { "a€b", 3, "a", true },
    { "a€b", 4, "a€", true },
    { "🙂", 3, "", true }, { "x🙂y", 4, "x", true }, { "x🙂y", 5, "x🙂", true },
    { "\128\128\128\128", 2, "\128\128", true }, { "a\200\255", 2, "a\200", true },
    { "\240\159\153", 2, "\240\159", true },
  } do
    it(("cuts %s to %d bytes"):format(text.quote(case[1]), case[2]), function()
      assert.same({ case[3], case[4] }, { text.cut(case[1], case[2]) })
    end)
  end

  for _, case in ipairs {
    { "abc", 3, "abc", false }, { "abc", 2, "bc", true }, { "abc", 0, "", true },
    { "é", 1, "", true },
    { "éa", 2, "a", true }, { "a€b", 2, "b", true }, { "a€b", 3, "b", true },
    { "a€b", 4, "€b", true },
    { "🙂y", 4, "y", true }, { "\128\128\128\128", 2, "\128\128", true },
  } do
    it(("keeps the last %d bytes of %s"):format(case[2], text.quote(case[1])), function()
      assert.same({ case[3], case[4] }, { text.cut_tail(case[1], case[2]) })
    end)
  end

  it("never makes text invalid by cutting", function()
    local s = "aé€🙂\n日本"
    for max = 0, #s do
      assert.is_true(text.valid((text.cut(s, max))))
      assert.is_true(text.valid((text.cut_tail(s, max))))
    end
  end)

  it("quotes on one line", function()
    assert.equal([["a\"\\\x0a\x00]] .. BAD .. '"', text.quote("a\"\\\n\0\255"))
    assert.equal('"aaaa…"', text.quote(("a"):rep(9), 4))
  end)

  it("takes a mebibyte", function()
    local s = ("naïve 日本 🙂 "):rep(45000)
    assert.equal(s, text.clean(s))
    assert.is_true(text.valid(("a"):rep(2 ^ 20)))
  end)
end)
