--- A program in a real terminal: tmux, whose server is ours alone.

local async = require "exhost.async"
local command = require "support.command"
local loop = require "exhost.loop"

local terminal = {}

local WAIT_SECONDS = 30

--- Whether there is a tmux to do it with.
function terminal.available()
  return os.execute("command -v tmux >/dev/null 2>&1") == 0
end

---@class spec.Terminal
local Terminal = {}
Terminal.__index = Terminal

local function tmux(self, ...)
  return command.run("/usr/bin/env", { "env", "tmux", "-S", self.socket, "-f", "/dev/null", ... },
    { env = { HOME = self.path, LANG = "C.UTF-8", TERM = "screen" } })
end

--- Start a shell command. `path`: a folder of the spec's own. Suspends.
function terminal.open(path, line, columns, rows)
  local self = setmetatable({ path = path, socket = path .. "/tmux" }, Terminal)
  local ran = tmux(self, "new-session", "-d", "-x", tostring(columns or 100), "-y",
    tostring(rows or 30), "sh", "-c", "trap : INT; " .. line .. "; echo ended $?; sleep 1000")
  assert(ran.code == 0, ran.err)
  return self
end

--- Type text as it is. Suspends.
function Terminal:type(text)
  tmux(self, "send-keys", "-l", text)
end

--- Press keys by tmux's names: "Enter", "C-c", "Tab", "Up". Suspends.
function Terminal:press(...)
  tmux(self, "send-keys", ...)
end

--- Type a line and press Enter. Suspends.
function Terminal:line(text)
  self:type(text)
  self:press("Enter")
end

--- What is on the screen, without empty lines at its end. Suspends.
function Terminal:screen()
  local ran = tmux(self, "capture-pane", "-p")
  return ((ran.out .. ran.err):gsub("%s+$", ""))
end

--- Wait until the screen matches. Suspends.
---@param pattern string a Lua pattern
function Terminal:wait(pattern)
  local ends = loop.now() + WAIT_SECONDS
  while true do
    local screen = self:screen()
    if screen:find(pattern) or (screen .. "\n"):find(pattern) then return screen end
    if loop.now() > ends then
      error(string.format("waited for %s; the screen:\n%s", pattern, screen), 2)
    end
    async.sleep(0.02)
  end
end

function Terminal:close()
  tmux(self, "kill-server")
end

return terminal
