local reference = require "backends.docker.reference"

describe("docker image references", function()
  it("are taken apart as the engine does it", function()
    for text, expected in pairs {
      busybox = { "busybox", "latest" }, ["busybox:1.35"] = { "busybox", "1.35" },
      ["localhost:5000/team/api"] = { "localhost:5000/team/api", "latest" },
      ["localhost:5000/team/api:1.2.3"] = { "localhost:5000/team/api", "1.2.3" },
      ["reg.example.com:443/a/b:5000"] = { "reg.example.com:443/a/b", "5000" },
      ["REG.example.com/a:V1"] = { "REG.example.com/a", "V1" },
      ["[::1]:5000/a:x"] = { "[::1]:5000/a", "x" },
      ["localhost/a"] = { "localhost/a", "latest" },
      ["library/a_b.c-d"] = { "library/a_b.c-d", "latest" },
      ["a__b---c/0.1:_x"] = { "a__b---c/0.1", "_x" },
      ["Localhost/a"] = { "Localhost/a", "latest" },
      ["127.0.0.1:00080/a"] = { "127.0.0.1:00080/a", "latest" },
    } do
      local parts = assert(reference.parse(text))
      assert.same(expected, { parts.name, parts.tag }, text)
    end
  end)

  it("may be pinned, or be an id", function()
    local digest = "sha256:" .. ("a1"):rep(32)
    local parts = assert(reference.parse("host:5000/a@" .. digest))
    assert.same({ "host:5000/a", digest }, { parts.name, parts.digest })
    assert.is_nil(parts.tag)
    assert.equal("host:5000/a@" .. digest, reference.text(parts))
    assert.equal("a:1@" .. digest, reference.text(assert(reference.parse("a:1@" .. digest))))
    local long = "sha512:" .. ("a1"):rep(64)
    assert.equal("a@" .. long, reference.text(assert(reference.parse("a@" .. long))))
    assert.equal(digest, reference.parse(digest).id)
    assert.equal(digest, reference.parse(("a1"):rep(32)).id)
  end)

  it("are refused with a reason", function()
    for _, text in ipairs { "", "Team/API", "a:b:c", "a//b", "a/", "/a", "a b", "a:", "a@sha256:12",
      "a@md5:x", "-a", "a:" .. ("t"):rep(129), "host:99999/a", "a/B", ("x"):rep(300), "a:t/b",
      "a..b", "a___b", "a._b", "a-", "_a", "-x.com/a", "x-.com/a", "a..b/c", "reg./a", ".reg/a",
      "h[x].y/z", "[::1/a", "[::1%25lo]:5000/a", "host:/a", "https://host/a", "a\n",
      "\239\187\191a", "na\195\175ve", ("A1"):rep(32), "a@sha256:" .. ("A1"):rep(32),
      "a@sha512:" .. ("a1"):rep(32), "a@", "@sha256:" .. ("a1"):rep(32) } do
      local parts, err = reference.parse(text)
      assert.is_nil(parts, text)
      assert.matches("^not an image reference: ", err)
    end
  end)
end)
