--- exhost lua: run a script inside the host, where suspending calls work.

local lua = {
  usage = "lua FILE [ARGS…]",
  summary = "run a Lua script inside the host",
  options = {},
  stop_at_word = true,
}

--- The script sees its arguments as `...` and as the global `arg`.
local function load_script(path, words, first)
  local chunk, err = loadfile(path)
  if not chunk then return nil, err end
  local list = { [0] = path }
  for i = first, #words do list[#list + 1] = words[i] end
  _G.arg = list -- luacheck: ignore
  return chunk, list
end

local function status_of(value)
  if type(value) == "number" then return value end
  return value == false and 1 or 0
end

function lua.run(ctx, words)
  if not words[1] then return ctx:usage("lua: expected a script") end
  local chunk, list = load_script(words[1], words, 2)
  if not chunk then return ctx:fail(list, "invalid") end
  local ok, value = xpcall(function() return chunk(unpack(list)) end, debug.traceback)
  if not ok then return ctx:fail(value, "internal") end
  return status_of(value)
end

--- Run on the state's main thread: for test runners, which step the loop themselves.
function lua.main(argv, first)
  local chunk, list = load_script(argv[first], argv, first + 1)
  if not chunk then
    io.stderr:write("exhost: ", tostring(list), "\n")
    return 1
  end
  local ok, value = xpcall(function() return chunk(unpack(list)) end, debug.traceback)
  if not ok then
    io.stderr:write("exhost: ", tostring(value), "\n")
    return 1
  end
  return status_of(value)
end

return lua
