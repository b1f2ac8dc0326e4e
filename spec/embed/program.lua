--- Build a C program against the library of this build, and run it on a fresh folder.

local build = require "exhost.build"
local command = require "support.command"
local scratch = require "support.scratch"

local program = {}

--- Where this build lies, as an installed copy would below its prefix.
program.prefix = assert(build.share:match("^(.*)/share/exhost$"))
program.library = program.prefix .. "/lib/libexhost.so"

--- Whether the library is instrumented, so that the programs have to be.
local function is_sanitized()
  return command.sh("nm -D " .. program.library .. " | grep -q __asan_init").code == 0
end

--- Run a shell script that must succeed. Suspends.
function program.sh(script, options)
  local ran = command.sh(script, options)
  assert(ran.code == 0, string.format("%s\nends with %s, signal %s\n%s%s", script,
    tostring(ran.code), tostring(ran.signal), ran.out, ran.err))
  return ran
end

--- Compile spec/embed/programs/NAME.c into a folder. Suspends.
---@return string path of the program
function program.compile(name, folder, more)
  local sanitizer = is_sanitized() and "-fsanitize=address,undefined" or ""
  program.sh(table.concat({ "gcc -std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror", sanitizer,
    "-I bindings/include -o", folder .. "/" .. name, "spec/embed/programs/" .. name .. ".c",
    more or "-L " .. program.prefix .. "/lib -lexhost -Wl,-rpath," .. program.prefix .. "/lib",
    "-lpthread -ldl" }, " "))
  return folder .. "/" .. name
end

--- A spec's body: compile and run, with a fresh state folder as the last argument.
function program.runs(name, options)
  options = options or {}
  return scratch.with(function(_, path)
    local file = program.compile(name, path, options.link)
    local words = { file, options.argument or "", path .. "/state" }
    program.sh(table.concat(words, " "), { env = options.env, limit = options.limit })
  end)
end

return program
