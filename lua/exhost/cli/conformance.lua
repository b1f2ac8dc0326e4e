--- exhost conformance: hold a backend folder against what every backend must do.

local build = require "exhost.build"
local context = require "exhost.cli.context"

local conformance = {
  usage = "conformance PATH [BUSTED OPTIONS…]",
  summary = "run the specs that every backend must pass against a backend's folder",
  options = {},
  stop_at_word = true,
}

--- "…/backends/NAME" -> root, NAME; the root is searched before all others.
local function locate(path)
  path = context.absolute(path):gsub("/+$", "")
  local root, name = path:match("^(.*)/backends/([a-z][a-z0-9_-]*)$")
  if not root then
    return nil, string.format("%s: expected a folder …/backends/NAME with an init.lua", path)
  end
  return root, name
end

--- Runs on the main thread: its specs step the loop.
function conformance.main(argv, first)
  local path = argv[first]
  if not path or path:sub(1, 1) == "-" then
    io.stderr:write("exhost: conformance: expected a backend's folder",
      path and ", got the option " .. path or "", "\n")
    return 2
  end
  local root, name = locate(path)
  if not root then
    io.stderr:write("exhost: ", name, "\n")
    return 2
  end
  package.loaded["exhost.conformance"] = { root = root, name = name }
  local words = { "--pattern=_spec", "--output=conformance.output" }
  for i = first + 1, #argv do words[#words + 1] = argv[i] end
  words[#words + 1] = build.share .. "/conformance"
  return require("exhost.cli.busted").run(words, build.share .. "/?.lua")
end

function conformance.run(ctx)
  return ctx:usage("conformance takes no options before the command's name")
end

return conformance
