--- The examples, against an installed copy.

local go = require "embed.go"
local program = require "embed.program"
local scratch = require "support.scratch"

local SETUP = [[
  set -eu
  export PKG_CONFIG_PATH=$(dirname $(find $P -name exhost.pc)) LD_LIBRARY_PATH=$P/lib
]]

--- A spec's body with an installed copy; its prefix is $P in the shell.
local function installed(body)
  return scratch.with(function(_, path)
    local prefix = path .. "/usr"
    program.sh("cmake --install " .. program.prefix .. " --prefix " .. prefix)
    body(path, prefix)
  end)
end

local function sh(path, prefix, script)
  return program.sh(SETUP .. script, { env = { P = prefix, D = path, HOME = path } })
end

describe("an installed copy", function()
  it("runs the example in C, found by pkg-config", installed(function(path, prefix)
    local ran = sh(path, prefix, [[
      cc -Wall -Wextra -Werror ]] .. program.flags() .. [[ bindings/examples/follow.c \
        $(pkg-config --cflags --libs exhost) -o $D/follow
      $D/follow $D/state -- sh -c 'echo "a \"word\""; sleep 0.1; echo two; exit 3'
    ]])
    assert.matches('^a "word"\ntwo\n{', ran.out)
    assert.matches('"exit_code":3', ran.out)
  end))

  it("can be moved", installed(function(path, prefix)
    local ran = sh(path, prefix, [[
      cc ]] .. program.flags() .. [[ bindings/examples/follow.c \
        $(pkg-config --cflags --libs exhost) -o $D/follow
      mv $P $D/elsewhere
      LD_LIBRARY_PATH=$D/elsewhere/lib $D/follow $D/state -- echo moved
    ]])
    assert.matches("^moved\n", ran.out)
  end))

  go.declare(it, pending)("runs the example in Go", scratch.with(function(_, path)
    local ran = program.sh(go.SETUP .. [[
      cd bindings/examples/follow-go
      go build -o $D/follow .
      $D/follow $D/state
    ]], { env = go.environment { D = path, HOME = path }, limit = 200 })
    assert.equal("one\ntwo\nexit code 0\n", ran.out)
  end, 210))
end)
