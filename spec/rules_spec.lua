--- The dependency rules of the tree: who may know whom.

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local found = {}
  for line in pipe:lines() do found[#found + 1] = line end
  pipe:close()
  return found
end

describe("the tree", function()
  it("has six folders at top level", function()
    assert.same({ "backends", "bindings", "core", "lua", "policies", "spec" },
      lines_of("find . -mindepth 1 -maxdepth 1 -type d -not -name '.*' -not -name build "
        .. "-printf '%f\\n' | sort"))
  end)

  it("keeps Lua out of core", function()
    assert.same({}, lines_of("grep -rlE 'lua\\.h|lauxlib|lualib' core"))
  end)

  it("names no backend and no vendor in lua/", function()
    assert.same({}, lines_of("grep -rniE --include=*.lua 'docker|firecracker|nvidia|radeon' lua"))
  end)

  it("enters Lua by one doorway", function()
    local allowed = { ["bindings/lua.c"] = true, ["bindings/policy_worker.c"] = true }
    for _, file in ipairs(lines_of("grep -rlwE 'lua_pcall|lua_cpcall|lua_resume' bindings")) do
      assert.is_true(allowed[file], file .. " calls into Lua")
    end
    -- lua_call may only stand below a lua_pcall: in functions that xh_lua_call() runs.
    -- policy_worker.c is a program of its own.
    assert.same({ "bindings/host.c", "bindings/policy_worker.c" },
      lines_of("grep -rlw lua_call bindings --include=*.c | sort"))
  end)

  -- At most two types of handles in a file.
  it("closes a handle in one place a type", function()
    local count = "grep -rcE 'static void on_\\w*closed\\(' core --include=*.c"
    for _, line in ipairs(lines_of(count)) do
      assert.is_true(tonumber(line:match(":(%d+)$")) <= 2, line)
    end
  end)

  it("handles no signals and forks nothing in core and bindings but the command", function()
    assert.same({}, lines_of("grep -nE '\\b(fork|vfork|sigaction|signal|uv_spawn|uv_signal_\\w+)"
      .. " *\\(' core/*.c bindings/*.c "
      .. "| grep -vE '^bindings/(main|policy_worker).c' | grep -vE ':\\s*(/?\\*|//)'"))
  end)

  it("keeps cjson behind one module", function()
    assert.same({ "lua/exhost/json.lua" },
      lines_of([[grep -rlE 'require *\(?"cjson' lua backends policies]]))
  end)

  it("keeps files small", function()
    for _, line in ipairs(lines_of("wc -l core/*.c core/*/*.c bindings/*.c $(find lua backends "
      .. "policies -name '*.lua') | grep -v ' total$'")) do
      local count, file = line:match("(%d+) (.*)$")
      assert.is_true(tonumber(count) < 600, file .. " has " .. count .. " lines")
    end
  end)

  it("names no path of a machine and no registry", function()
    assert.same({}, lines_of("git grep -nIE '/wor[k]/|deb\\.debian\\.org|"
      .. "registry\\.npmjs|proxy\\.golang|pypi\\.org' -- . ':!spec/rules_spec.lua' 2>/dev/null"))
  end)
end)
