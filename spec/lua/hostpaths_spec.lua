local hostpaths = require "exhost.hostpaths"
local scratch = require "support.scratch"

describe("a path of the host", function()
  it("lies below a folder, whatever the slashes, and never by way of ..", function()
    for _, path in ipairs { "/srv", "/srv/", "//srv//a", "/srv/a/b" } do
      assert.is_true(hostpaths.below(path, { "/other", "/srv/" }), path)
    end
    for _, path in ipairs { "/srvx", "/", "/srv/../etc", "/srv/a/..", "/sr" } do
      assert.is_false(hostpaths.below(path, { "/srv" }), path)
    end
    assert.is_true(hostpaths.below("/any", "all"))
    assert.is_false(hostpaths.below("/any/../other", "all"))
  end)

  it("gives the host away where it is, holds or lies in what does", function()
    for _, path in ipairs { "/", "/etc", "/etc/ssl", "/var", "/root/.ssh/id", "/run/" } do
      assert.is_true(hostpaths.is_sensitive(path), path)
    end
    for _, path in ipairs { "/srv", "/etcetera", "/home/me", "/tmp/x", "/var/tmp" } do
      assert.is_false(hostpaths.is_sensitive(path), path)
    end
    assert.is_true(hostpaths.is_sensitive("/opt/engine/x", { "/opt/engine" }))
  end)

  it("is what its links make of it", scratch.with(function(_, path)
    assert(os.execute("ln -s /etc " .. path .. "/link && mkdir " .. path .. "/plain") == 0)
    assert.is_false(hostpaths.granted(path .. "/link", nil))
    assert.is_true(hostpaths.granted(path .. "/plain", nil))
    assert.is_false(hostpaths.granted(path .. "/link", { path }))
    assert.is_true(hostpaths.granted(path .. "/link", { path, "/etc" }))
    assert.is_false(hostpaths.granted(path .. "/plain", {}))
  end))
end)
