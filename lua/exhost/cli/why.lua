--- exhost why: an execution's story on one screen.

local json = require "exhost.json"
local story_lines = require "exhost.story"

return {
  usage = "why ID",
  summary = "tell the story of an execution, also of a start that failed",
  options = {},
  run = function(ctx, options)
    return ctx:for_each_id(options, function(ex, id)
      local story, err, code = ex:why(id)
      return story and json.array(story), err, code
    end, function(story, id)
      for _, line in ipairs(story_lines(id, story)) do ctx:print(line) end
    end)
  end,
}
