--- busted's output: one line a failure as it comes, and the closing line CI reads.

return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()
  local started

  local function problem(kind, element)
    io.write(string.format("\n%s: %s\n", kind, handler.getFullName(element)))
  end

  handler.suiteStart = function()
    started = os.time()
    return nil, true
  end

  handler.testEnd = function(element, _, status)
    if status ~= "success" and status ~= "pending" then problem(status, element) end
    if os.getenv("EXHOST_SPEC_NAMES") then
      io.write(status, " ", handler.getFullName(element), "\n")
    end
    io.flush()
    return nil, true
  end

  handler.suiteEnd = function()
    for _, list in ipairs { handler.failures, handler.errors } do
      for _, entry in ipairs(list) do
        io.write(string.format("\n%s (%s:%s)\n", entry.name or "?",
          entry.trace and entry.trace.short_src or "?", entry.trace and entry.trace.currentline or "?"))
        local message = entry.message
        io.write(type(message) == "string" and message or require("pl.pretty").write(message), "\n")
        if entry.trace and entry.trace.traceback then io.write(entry.trace.traceback, "\n") end
      end
    end
    for _, entry in ipairs(handler.pendings) do
      io.write(string.format("skipped: %s%s\n", entry.name or "?",
        entry.message and ": " .. tostring(entry.message) or ""))
    end
    io.write(string.format("took %d s\n%d passed, %d failed, %d skipped\n", os.time() - started,
      handler.successesCount, handler.failuresCount + handler.errorsCount, handler.pendingsCount))
    io.flush()
    return nil, true
  end

  handler.error = function(element, _, message)
    io.write(string.format("\nerror in %s: %s\n", tostring(element and element.name), tostring(message)))
    return nil, true
  end

  busted.subscribe({ "error", "it" }, function() return nil, true end)
  handler:subscribe(options)
  return handler
end
