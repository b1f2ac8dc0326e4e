--- kill -9 of the host at random points: before the N-th thing that it does to the world.
--
-- EXHOST_CRASH_POINTS is how many; EXHOST_SEED chooses them, and is told when one fails.

local world = require "crash.world"

local POINTS = tonumber(os.getenv("EXHOST_CRASH_POINTS") or 50)
local SEED = tonumber(os.getenv("EXHOST_SEED") or os.time())
local ACTS = 70 -- a little more than a whole life takes, so that its end is met, too

-- A generator of our own, as busted seeds the common one.
local state = SEED % 2147483647
local function random(most)
  state = state * 48271 % 2147483647
  return state % most + 1
end
random(1) -- the first number of close seeds is close

describe("kill -9 of the host, seed " .. SEED .. ",", function()
  for _ = 1, POINTS do
    local act = random(ACTS)
    local ends = random(2) == 1
    local options = { no_cgroups = random(4) == 1 }
    local durability = random(4) == 1 and "full" or "result"
    local how = string.format("%s, durability %s%s", ends and "ends" or "is cancelled", durability,
      options.no_cgroups and ", no cgroups" or "")
    it(string.format("before act %d of a job that %s", act, how), world.with(function(w)
      local verbs = { { "start", w:request(ends and "exit 0" or nil) } }
      if not ends then verbs[2] = { "cancel", w.id, { grace = 1 } } end
      for _, verb in ipairs { "wait", "remove", "purge" } do verbs[#verbs + 1] = { verb, w.id } end
      local host = w:host { act = act, die = true, verbs = verbs,
        settings = { durability = durability } }
      host:wait()
      w:check(host:told("remove true") ~= nil)
    end, options))
  end
end)
