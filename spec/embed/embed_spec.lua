local command = require "support.command"
local program = require "embed.program"
local scratch = require "support.scratch"

describe("exhost.h", function()
  it("answers calls that are wrong, late or cancelled, once each", program.runs "calls")
  it("is closed with calls in flight", program.runs "closing")
  it("tells a slow reader of the feed how much it missed", program.runs "feed")
  it("keeps descriptors apart and leaves none", program.runs "descriptors")
  it("writes a log that holds nothing up", program.runs "logging")
  it("leaves its embedder as it was", program.runs "guest")
  it("is opened by dlopen with RTLD_LOCAL", program.runs("opened",
    { link = " ", argument = program.library }))

  it("lets prompts attach where it says so, which delay no call", program.runs("attached",
    { argument = command.program }))

  it("exports nothing but exhost_*", scratch.with(function()
    local ran = program.sh("nm -D --defined-only " .. program.library
      .. " | awk '{ print $3 }' | grep -v '^exhost_' || true")
    assert.equal("", ran.out)
  end))

  local seconds = os.getenv("EXHOST_STORM_SECONDS") or "5"
  it("stands in a storm", program.runs("storm", { env = { EXHOST_STORM_SECONDS = seconds },
    limit = tonumber(seconds) + 60 }))
end)
