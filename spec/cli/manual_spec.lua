--- The manual page and the completion say what the commands say.

local command = require "support.command"
local task = require "conformance.task"

describe("the manual page", function()
  it("is troff that has every command and option", task(function()
    local ran = command.run(command.program, { "exhost", "help", "--man" })
    assert.equal(0, ran.code, ran.err)
    assert.matches("^%.TH EXHOST 1\n", ran.out)
    local words = command.run(command.program, { "exhost", "help", "--words" }).out
    for name in words:gmatch("%S+") do
      assert.is_truthy(ran.out:find(".SS exhost " .. name:gsub("%-", "\\-"), 1, true), name)
    end
    assert.is_truthy(ran.out:find("\\-\\-stop\\-grace", 1, true))
    for line in ran.out:gmatch("[^\n]+") do
      assert.is_nil(line:match("^'"), line)
      assert.is_true(line:sub(1, 1) ~= "." or line:find("^%.[TS][HSP] ?") ~= nil, line)
    end
  end))
end)

describe("bash completion", function()
  local function complete(words)
    return command.sh([[
      mkdir $D; ln -s $exhost $D/exhost; PATH=$D:$PATH
      bash -c '. bindings/share/exhost.bash; COMP_WORDS=(exhost "$@"); COMP_CWORD=$#
        compopt() { :; }; _exhost; printf "%s\n" "${COMPREPLY[@]}"' bash ]] .. words
      .. "; rm -r $D", { env = { D = os.tmpname() .. ".d", EXHOST_STATE_DIR = "/nonexistent/x" } })
  end

  it("knows commands and options", task(function()
    if not io.open("/bin/bash") then return pending "bash is not here" end
    assert.equal("logs\n", complete("lo").out)
    assert.equal("--follow\n--format\n", complete("logs --fo").out)
    assert.equal("cancel\ncleanup\nconformance\n", complete("help c").out)
  end))
end)
