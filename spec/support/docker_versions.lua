--- Where engines differ, by the least API version that behaves so.

local client = require "backends.docker.client"

local versions = {}

-- What a spec asks: the answers from some API version on, newest last.
local DIFFERENCES = {
  --- The exit code of a container that ended while dockerd, whose child containerd was, was dead.
  exit_while_away = { { "1.41", function(code) return code end },
    { "1.45", function() return 255 end } },
  --- Whether it knows devices by their CDI names.
  cdi = { { "1.41", false }, { "1.45", true } },
}

--- The engine's answers.
---@param api string its API version
function versions.of(api)
  local own = client.number(api)
  local answers = {}
  for name, list in pairs(DIFFERENCES) do
    for _, entry in ipairs(list) do
      if own >= client.number(entry[1]) then answers[name] = entry[2] end
    end
  end
  return answers
end

return versions
