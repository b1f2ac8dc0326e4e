-- Lint rules. lua/ and backends/ run on the loop: nothing there may block it.
std = "luajit"
max_line_length = 100
self = false
local blocking = { "os.execute", "io.popen", "io.read" }
files["lua/"] = { not_globals = blocking }
-- Signatures without bodies.
files["lua/exhost/types.lua"] = { unused = false }
files["lua/exhost/types/"] = { unused = false }
files["lua/exhost/repl/types.lua"] = { unused = false }
files["backends/"] = { not_globals = blocking }
files["spec/"] = { std = "luajit+busted" }
-- A policy sees its arguments and nothing else.
files["policies/"] = { std = "none", globals = {}, read_globals = { "ipairs", "pairs", "string",
  "table", "math", "tonumber", "tostring", "type", "print", "error", "assert", "require" } }
files["policies/types/"] = { unused = false, max_line_length = false }
exclude_files = { "build/" }
