--- The Debian package: what is in it, and that it asks for what its programs need.

local command = require "support.command"
local program = require "embed.program"
local scratch = require "support.scratch"

local function has(name)
  return os.execute("command -v " .. name .. " >/dev/null 2>&1") == 0
end

describe("the package", function()
  if not (has "cpack" and has "dpkg-deb" and has "readelf") then
    pending("needs cpack, dpkg and readelf")
    return
  end

  it("holds programs, manual, completion and units, and names its libraries",
    scratch.with(function(_, path)
      local function sh(script)
        local ran = command.sh("set -e; cd " .. path .. "; " .. script, { limit = 200 })
        assert.equal(0, ran.code, ran.out .. ran.err)
        return ran.out
      end
      sh("cpack --config " .. program.prefix .. "/CPackConfig.cmake -B " .. path .. " >log 2>&1"
        .. " || { cat log; exit 1; }; mv exhost_*.deb it.deb; dpkg-deb -x it.deb root")
      for _, file in ipairs { "bin/exhost", "libexec/exhost/exhost-shim",
        "libexec/exhost/exhost-policy", "share/man/man1/exhost.1",
        "lib/systemd/system/exhost.service", "lib/systemd/system/exhost.socket",
        "share/bash-completion/completions/exhost", "share/doc/exhost/copyright",
        "share/exhost/lua/exhost/executor.lua", "share/exhost/policies/cpu.lua" } do
        sh("test -f root/usr/" .. file)
      end
      assert.equal("", sh("find root -perm /022 -not -type l"))
      local depends = sh("dpkg-deb -f it.deb Depends")
      local needed = sh("for f in root/usr/bin/exhost root/usr/libexec/exhost/* "
        .. "$(find root -name 'libexhost.so.*' -type f); do readelf -d $f; done"
        .. " | sed -n 's/.*NEEDED.*\\[\\(.*\\)\\]/\\1/p' | sort -u")
      for library in (needed .. "libcurl.so.4\nlibedit.so.2\n"):gmatch("[^\n]+") do
        -- A sanitizer's own are in no package that anybody is given.
        if not library:find("^lib[au]b?san") and not library:find("^ld%-linux") then
          local owner = sh("dpkg -S '*/" .. library .. "' | head -1 | cut -d: -f1"):gsub("%s", "")
          assert.is_truthy((", " .. depends):find(", " .. owner, 1, true),
            library .. " is of " .. owner .. ", not in " .. depends)
        end
      end
      assert.matches("hello", sh("EXHOST_STATE_DIR=$PWD/state root/usr/bin/exhost run echo hello"))
    end, 610))
end)
