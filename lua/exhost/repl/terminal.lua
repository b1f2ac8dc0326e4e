--- A prompt on the terminal: lines are edited, put together, run. Whose prompt it is, that of
--- this program or of a host it is attached to, is the target's business.

local async = require "exhost.async"
local edit = require "exhost.edit"
local history = require "exhost.repl.history"
local loop = require "exhost.loop"
local session = require "exhost.repl.session"
local system = require "exhost.system"

local SIGINT = 2
local FIRST, MORE = "> ", ">> "

---@class exhost.Target what a prompt works on; its functions may suspend
---@field eval fun(text: string): true?, string?, string? run it; nil, what to tell people, code;
--- "unavailable": there is nobody any more to run it
---@field complete fun(text: string): { insert: string, words: string[] }
---@field interrupt fun() stop what runs

--- Words in columns.
local function columns(words)
  local width = 0
  for _, word in ipairs(words) do width = math.max(width, #word + 2) end
  local across = math.max(1, math.floor((system.terminal(1) or 80) / width))
  local lines, line = {}, {}
  for i, word in ipairs(words) do
    line[#line + 1] = word .. (" "):rep(width - #word)
    if i % across == 0 or i == #words then
      lines[#lines + 1] = table.concat(line):gsub(" +$", "")
      line = {}
    end
  end
  return table.concat(lines, "\n")
end

--- `is_last`: a slow answer to an earlier one must not be put into another line.
local function answer_tab(target, editor, text, is_last)
  async.spawn(function()
    local found = target.complete(text) or { insert = "", words = {} }
    if not is_last() then return end
    local list = found.insert == "" and #found.words > 1 and columns(found.words) or ""
    editor:answer(found.insert, list)
  end, { on_error = function()
    if is_last() then editor:answer("", "") end
  end })
end

--- Run one line after the other until the end of input, or a signal that ends us. Suspends.
---@param target exhost.Target
---@param dir exhost.dir where the history is kept
---@return true? ok, string? err, string? code "ENOSYS": lines cannot be edited here
local function edited(target, dir)
  local wake, editor, running, ending
  local events = 0
  local err, code
  editor, err, code = edit.open(function(event, text)
    events = events + 1
    local this = events
    if event == "tab" then
      return answer_tab(target, editor, text, function() return this == events end)
    end
    wake(event, text)
  end)
  if not editor then return nil, err, code end
  for _, line in ipairs(history.read(dir)) do editor:remember(line) end
  loop.on_interrupt(function(signal)
    loop.heed()
    ending = ending or signal ~= SIGINT
    if running then return target.interrupt() end
    editor:abort()
  end)
  local text
  while not ending do
    local event, line = async.await(function(done)
      wake = done
      editor:read(text and MORE or FIRST)
    end)
    if event == "abort" then
      if not ending then system.write(1, "^C\n") end
      text = nil
    elseif event ~= "line" then
      system.write(1, "\n")
      break
    elseif line:find("%S") then
      history.add(dir, line)
      editor:remember(line)
      text = text and text .. "\n" .. line or line
      if not session.incomplete(text) then
        running = true
        local ok, why, kind = target.eval(text)
        running, text = false, nil
        if kind == "unavailable" then
          events = nil
          editor:close()
          return nil, why, kind
        end
        if not ok then system.write(2, why .. "\n") end
      end
    end
  end
  events = nil
  editor:close()
  return true
end

return edited
