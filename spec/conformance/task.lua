--- Run a spec's body as a task on the loop, and fail on leftovers.
--
--   it("waits", task(function() … end))
--
-- A body that takes longer than 60 s, or than the seconds given, fails.

local assert = require "luassert"
local async = require "exhost.async"
local loop = require "exhost.loop"

local LIMIT_SECONDS = 60

return function(body, limit)
  return function()
    local before, finished, failure = loop.refs(), false, nil
    local seconds = limit or LIMIT_SECONDS
    local ends = loop.now() + seconds
    local alarm = loop.timer(seconds, function() end) -- or a step may take for ever
    local task = async.spawn(function()
      local ok, err = xpcall(body, function(e)
        return type(e) == "table" and e or debug.traceback(e, 2)
      end)
      finished, failure = true, not ok and err or nil
    end)
    while not finished and loop.now() < ends do
      if not loop.step() then break end
    end
    alarm:stop()
    local late = not finished
    if late then
      async.cancel(task)
      for _ = 1, 100 do
        if not loop.step() then break end
      end
    end
    if late then -- what then fails is mostly "cancelled", which is our doing
      error(string.format("cancelled after %d s: %s", seconds, tostring(failure
        or finished and "it ended by that" or "a callback never came, even so")), 0)
    end
    if failure then error(failure, 0) end
    assert.is_true(finished, "the task is still suspended: a callback never came")
    -- Closing takes a turn of the loop.
    for _ = 1, 3 do
      local timer = loop.timer(0, function() end)
      loop.step()
      timer:stop()
    end
    collectgarbage() collectgarbage()
    assert.equal(before, loop.refs(), "Lua references leaked")
  end
end
