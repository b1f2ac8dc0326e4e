--- An execution's events as people read them.

local story = require "exhost.story"
local summary = require "exhost.request.summary"

local function at(seconds, event)
  event.at = string.format("2026-01-01T00:00:%02d.%09dZ", math.floor(seconds),
    (seconds - math.floor(seconds)) * 1e9 + 0.5)
  return event
end

describe("a story", function()
  it("says what was asked, which policy set what, what was called, and the end", function()
    assert.same({
      "execution e1, from 2026-01-01T00:00:00.000000000Z",
      "0s           accepted      backend b, job j1",
      "             policy        amd 2 set HostConfig.Devices (amd.lua:11, amd.lua:16)",
      "             policy        cpu 1 set nothing",
      "             asked         cmd sh -c 'a \"b\" '\\''c'\\''', cores 0.5,"
        .. " image x:1, memory 64 MiB, timeout 1m30s",
      "12.35ms      engine_call   call POST /containers/create, took 12.3ms",
      "2.5s         cancel        by cancel, grace 10, signal SIGTERM, (+2.488s)",
      "2.6s         concluded     exit_code 143, reason cancelled",
      "             evidence      duration 2.501s, stdout_bytes 5",
    }, story("e1", {
      at(0, { event = "accepted", job = "j1", backend = "b",
        policies = { { name = "amd", version = "2" }, { name = "cpu", version = "1" } },
        set = { ["HostConfig.Devices"] = { "amd.lua:11", "amd.lua:16" } },
        asked = { cmd = { "sh", "-c", "a \"b\" 'c'" }, cores = 0.5, image = "x:1", memory = 2 ^ 26,
          timeout = 90 } }),
      at(0.012346, { event = "engine_call", call = "POST /containers/create", ms = 12.3 }),
      at(2.5, { event = "cancel", by = "cancel", grace = 10, signal = 15 }),
      at(2.6, { event = "concluded", exit_code = 143, reason = "cancelled",
        evidence = { duration_ns = 2501000000, stdout_bytes = 5 } }),
    }))
  end)

  it("keeps to the screen, and what is typed by others to its place", function()
    local lines = story("e1", { at(0, { event = "accepted",
      asked = { cmd = { ("x"):rep(80), "a\nb\27[2J", ("y"):rep(80) }, user = "me" } }) })
    assert.same({ "0s           accepted",
      "             asked         cmd " .. ("x"):rep(80) .. " 'a\\x0ab\\x1b[2J' "
        .. ("y"):rep(80) .. ",",
      "                           user me" }, { lines[2], lines[3], lines[4] })
    assert.same({ "execution e1, from ?" }, story("e1", {}))
  end)
end)

describe("what was asked", function()
  it("is told without variables, passwords and keys, and never at length", function()
    local long = {}
    for i = 1, 40 do long[i] = tostring(i) end
    local told = summary { job_id = "j", execution_id = "e",
      engine_spec = { type = "b", params = { image = "x:1", cmd = long, environment = { "A=hush" },
        registry_auth = { password = "hush" }, password = "hush", user = ("é"):rep(300),
        tty = true, labels = { a = "b" } } },
      resources = { cpu = { cores = 2 }, ram = { size = 0 }, disk = { size = 5 },
        gpus = { { uuid = "GPU-1" }, { pci_address = "0000:01:00.0" } } },
      inputs = { { source = "/a", target = "/b" } }, outputs = { { source = "v" } },
      ports_to_bind = { { ip = "::1", host_port = 80, executor_port = 8080 },
        { executor_port = 53, protocol = "udp" } },
      provision_scripts = { b = "x", a = "hush" }, keys = { { file = "hush" } }, timeout = 5 }
    assert.same({ "16", "… (40)", 17 }, { told.cmd[16], told.cmd[17], #told.cmd })
    assert.same(("é"):rep(100) .. "…", told.user)
    told.cmd, told.user = nil, nil
    assert.same({ image = "x:1", tty = true, cores = 2, disk = 5, timeout = 5,
      gpus = { "GPU-1", "0000:01:00.0" }, inputs = { "/a -> /b" }, outputs = { "v" },
      ports = { "::1:80 -> 8080/tcp", "*:0 -> 53/udp" }, scripts = { "a", "b" } }, told)
  end)
end)
