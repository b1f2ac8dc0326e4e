--- busted's output: the failures whole, and the closing line that CI reads.

return function()
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()
  local started = os.time()
  local named = os.getenv("EXHOST_SPEC_NAMES")

  local function describe(kind, entry)
    local trace = entry.element and entry.element.trace or entry.trace or {}
    local message = entry.message
    if type(message) ~= "string" then
      message = message == nil and "(no message)" or require("pl.pretty").write(message)
    end
    io.write(string.format("\n%s: %s (%s:%s)\n%s\n", kind, entry.name or "?",
      trace.short_src or "?", trace.currentline or "?", message))
    io.flush()
  end

  handler.testEnd = function(element, _, status)
    if named then
      io.write(string.format("%s: %.2f s: %s\n", status, element.duration or 0,
        handler.getFullName(element)))
    end
    if status == "failure" then describe("failed", handler.failures[#handler.failures]) end
    if status == "error" then describe("error", handler.errors[#handler.errors]) end
    return nil, true
  end

  -- Errors outside of a spec: a file that does not load, a describe block that raises.
  handler.error = function(element, _, message)
    describe("error", { name = element and element.name, element = element, message = message })
    return nil, true
  end

  handler.suiteEnd = function()
    for _, entry in ipairs(handler.pendings) do
      io.write(string.format("skipped: %s%s\n", entry.name or "?",
        entry.message and ": " .. tostring(entry.message) or ""))
    end
    io.write(string.format("took %d s\n%d passed, %d failed, %d skipped\n", os.time() - started,
      handler.successesCount, handler.failuresCount + handler.errorsCount, handler.pendingsCount))
    io.flush()
    return nil, true
  end

  busted.subscribe({ "test", "end" }, handler.testEnd, { predicate = handler.cancelOnPending })
  busted.subscribe({ "suite", "end" }, handler.suiteEnd)
  busted.subscribe({ "error", "file" }, handler.error)
  busted.subscribe({ "failure", "file" }, handler.error)
  busted.subscribe({ "error", "describe" }, handler.error)
  return handler
end
