--- lua/exhost/types.lua, types/*.lua and repl/types.lua name what the modules in C have, no more.

local MODULES = { loop = "loop", dirs = "dir", process = "process_core", channel = "channel",
  watch = "watch", logread = "logread", collect = "collect", outlet = "outlet",
  lines = "lines", listen = "listen", typed = "typed", edit = "edit",
  json = "json_core", http = "http_core", cgroup = "cgroup_core", system = "system" }

local function read(path)
  local file = assert(io.open(path, "r"))
  local text = file:read("*a")
  file:close()
  return text
end

describe("types.lua", function()
  local text = read("lua/exhost/types.lua") .. read("lua/exhost/types/dir.lua")
    .. read("lua/exhost/types/http.lua")
    .. read("lua/exhost/repl/types.lua")

  it("compiles", function() assert(loadstring(text)) end)

  it("names every function of each module, and no other", function()
    for variable, name in pairs(MODULES) do
      local module, described = require("exhost." .. name), {}
      for fn in text:gmatch("\nfunction " .. variable .. "%.([%w_]+)%(") do described[fn] = true end
      for fn in pairs(module) do assert.is_true(described[fn], name .. "." .. fn) end
      for fn in pairs(described) do assert.is_function(module[fn], name .. "." .. fn) end
    end
  end)

  it("names every method that a table of the bindings holds", function()
    for _, module in pairs(MODULES) do
      local source = read("bindings/lua_" .. module:gsub("_core", "") .. ".c")
      for list in source:gmatch("static const luaL_Reg [%u_]*METHODS%[%] = (%b{})") do
        for method in list:gmatch('{"([%w_]+)"') do
          local found = text:find("\nfunction %u%a+:" .. method .. "%(")
          assert.is_truthy(found, module .. ":" .. method)
        end
      end
    end
  end)

  it("knows exhost.build", function()
    for field in pairs(require "exhost.build") do
      assert.is_truthy(text:find("---@field " .. field, 1, true), field)
    end
  end)
end)
