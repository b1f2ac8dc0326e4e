--- Go, where it is installed. In CI it has to be, and so does a build that Go can link to.

local program = require "embed.program"

local go = {}

--- Always the same, as Go's cache remembers where it found a library.
go.prefix = program.prefix .. "/go-prefix"

--- Shell lines that install this build there and let Go find it.
go.SETUP = string.format([[
  set -eu
  cmake --install %s --prefix %s >/dev/null
  export PKG_CONFIG_PATH=$(dirname $(find %s -name exhost.pc)) LD_LIBRARY_PATH=%s/lib
]], program.prefix, go.prefix, go.prefix, go.prefix)

local function missing()
  if os.execute("command -v go >/dev/null 2>&1") ~= 0 then return "go is not installed" end
  if program.is_sanitized() then return "programs in Go cannot load a sanitized library" end
end

--- What declares a spec that needs Go, given busted's own functions.
function go.declare(it, pending)
  local why = missing()
  if not why then return it end
  local wanted = os.getenv("CI") and not program.is_sanitized()
  return function(name)
    it(name, function()
      if wanted then error(why, 0) end
      pending(why)
    end)
  end
end

--- Where Go keeps what it builds: never below the tree, always the same for all specs.
function go.environment(more)
  local env = { GOFLAGS = "-mod=mod", GOPROXY = "off", GOTOOLCHAIN = "local", CGO_ENABLED = "1",
    GOCACHE = os.getenv("GOCACHE") or program.prefix .. "/go-cache",
    GOPATH = program.prefix .. "/go-path" }
  for key, value in pairs(more or {}) do env[key] = value end
  return env
end

return go
