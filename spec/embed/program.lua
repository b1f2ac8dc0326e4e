--- Build a C program against the library of this build, and run it on a fresh folder.

local build = require "exhost.build"
local command = require "support.command"
local scratch = require "support.scratch"

local program = {}

local COMPILE_SECONDS = 30

--- Where this build lies, as an installed copy would below its prefix.
program.prefix = assert(build.share:match("^(.*)/share/exhost$"))
program.library = program.prefix .. "/lib/libexhost.so"

--- Whether the library is instrumented, so that the programs have to be.
function program.is_sanitized()
  return os.execute("nm -D " .. program.library .. " | grep -q __asan_init") == 0
end

--- What gcc needs to know of that.
function program.flags()
  return program.is_sanitized() and "-fsanitize=address,undefined" or ""
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
  program.sh(table.concat({ "gcc -std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror",
    program.flags(), "-I bindings/include -o", folder .. "/" .. name,
    "spec/embed/programs/" .. name .. ".c",
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
  end, options.limit and options.limit + COMPILE_SECONDS)
end

return program
