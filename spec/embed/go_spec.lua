local go = require "embed.go"
local guest_image = require "support.guest_image"
local machines = require "support.machines"
local program = require "embed.program"
local scratch = require "support.scratch"

--- A spec's body: a shell script in the Go package, against an installed copy.
local function runs(script, seconds)
  local limit = 300 + (seconds or 0)
  return scratch.with(function(_, path)
    local env = go.environment { D = path, HOME = path, TMPDIR = path,
      EXHOST_STORM_SECONDS = tostring(seconds or 1) }
    for _, name in ipairs { "DOCKER_HOST", "EXHOST_DOCKER_SOCKET", "EXHOST_TEST_IMAGE" } do
      env[name] = os.getenv(name)
    end
    if machines.possible() then
      guest_image.write(path)
      env.EXHOST_FIRECRACKER = machines.BINARY
      env.EXHOST_TEST_KERNEL, env.EXHOST_TEST_INITRD = path .. "/kernel", path .. "/initrd"
    end
    program.sh(go.SETUP .. "cd bindings/go\n" .. script, { env = env, limit = limit })
  end, limit + 10)
end

local function storm()
  return tonumber(os.getenv("EXHOST_STORM_SECONDS") or 5)
end

describe("the Go package", function()
  local it = go.declare(it, pending)
  it("is formatted and vetted", runs [[
    test -z "$(gofmt -l .)"
    go vet ./...
  ]])

  it("passes its tests", runs("go test ./...", storm()))
  it("passes its tests under the race detector", runs("go test -race ./...", storm()))
end)
