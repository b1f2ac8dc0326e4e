local base64 = require "exhost.base64"

describe("base64", function()
  for plain, encoded in pairs {
    [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=",
    foobar = "Zm9vYmFy", ["\0"] = "AA==", ["\255\255\255"] = "////", ["\251\240"] = "+/A=",
    ["\251\239\190"] = "++++",
  } do
    it("turns " .. encoded .. " into bytes and back", function()
      assert.equal(encoded, base64.encode(plain))
      assert.equal(plain, base64.decode(encoded))
    end)
  end

  for encoded, position in pairs {
    ["Zg=a"] = 3, ["Zm9*"] = 4, ["Zm9v\tZg=="] = 5, ["Zg==Zg=="] = 3, ["===="] = 1, ["Z==="] = 2,
    ["Zm-_"] = 3, ["Zh=="] = 2, ["Zm9="] = 3, [("QUJD"):rep(3000) .. "QU=D" .. "QUJD"] = 12003,
    ["QUJDQU=D"] = 7,
  } do
    it("names the position of the mistake in " .. #encoded .. " characters", function()
      local bytes, err = base64.decode(encoded)
      assert.is_nil(bytes)
      assert.truthy(err:find("position " .. position .. " of", 1, true), err)
    end)
  end

  it("wants whole groups", function()
    for _, encoded in ipairs { "Z", "Zg", "Zg=", "Zm9vY" } do
      local bytes, err = base64.decode(encoded)
      assert.is_nil(bytes)
      assert.truthy(err:find("groups of four", 1, true))
    end
  end)

  it("leaves line breaks out", function()
    for _, encoded in ipairs { "Zm9v\nZg==", "Zm9vZg==\r\n", "Z\r\nm9vZg=\n=", "\n\nZm9vZg==" } do
      assert.equal("foof", base64.decode(encoded))
    end
    assert.equal("", base64.decode "\r\n")
  end)

  it("keeps any bytes", function()
    for length = 0, 300 do
      local bytes = {}
      for i = 1, length do bytes[i] = string.char(math.random(0, 255)) end
      bytes = table.concat(bytes)
      assert.equal(bytes, base64.decode(base64.encode(bytes)))
    end
  end)

  it("takes a mebibyte", function()
    local bytes = ("\0\1\2\253\254\255"):rep(175000)
    assert.equal(bytes, base64.decode(base64.encode(bytes)))
  end)
end)
