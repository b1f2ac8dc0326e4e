local async = require "exhost.async"
local command = require "support.command"
local dirs = require "exhost.dir"
local scratch = require "support.scratch"
local watch = require "exhost.watch"

local wait_until = scratch.wait_until

--- Names told, with "?" for "look at everything".
local function listen(dir, modified)
  local names = {}
  local w = assert(watch.open(dir, function(name) names[#names + 1] = name or "?" end, modified))
  return names, w
end

--- Everything told up to now: the reports come in order, so a last one of ours ends them.
local ends = 0
local function told(dir, names)
  ends = ends + 1
  local last = "end-" .. ends
  dir:mkdir(last)
  assert(wait_until(function() return names[#names] == last end))
  names[#names] = nil
  return names
end

describe("watch.open", function()
  it("tells of names that appear, however they do", scratch.with(function(dir)
    dir:mkdir("sub")
    dir:open("sub"):write("moved", "x")
    local names, w = listen(dir)
    dir:create("made", "x")
    dir:mkdir("folder")
    dir:mkfifo("fifo")
    dir:open("sub"):rename("moved", dir, "moved")
    dir:rename("made", dir, "renamed")
    assert.same({ "made", "folder", "fifo", "moved", "renamed" }, told(dir, names))
    w:close()
  end))

  it("tells of a file that is linked or replaced", scratch.with(function(dir)
    dir:write("state", "old")
    local names, w = listen(dir)
    dir:write("state", "new")
    dir:link_once("result", "x")
    local seen = {}
    for _, name in ipairs(told(dir, names)) do seen[name] = true end
    assert.is_true(seen.state and seen.result)
    w:close()
  end))

  it("tells of writes only where that was asked", scratch.with(function(dir)
    dir:create("log", "")
    local names, w = listen(dir)
    local modified, m = listen(dir, true)
    dir:append("log", "x")
    dir:unlink("log")
    assert.same({}, told(dir, names))
    assert.equal("log", modified[1])
    w:close()
    m:close()
  end))

  it("says to look again when the folder goes, and that is the last word", scratch.with(
    function(dir, path)
      for name, change in pairs {
        moved = function(name) dir:rename(name, dir, "elsewhere") end,
        -- The kernel tells of a removal when nobody holds the folder any more.
        removed = function(name, sub)
          command.sh("rmdir $D/" .. name, { env = { D = path } })
          sub:close()
        end,
      } do
        local sub = dir:open(name, true)
        local names, w = listen(sub)
        change(name, sub)
        assert(wait_until(function() return names[1] end))
        async.sleep(0.01)
        assert.same({ "?" }, names)
        w:close()
        sub:close()
      end
    end))

  it("serves many watches of one folder, each until it is closed", scratch.with(function(dir, path)
    local other = dirs.open(path)
    local a, first = listen(dir)
    local b, second = listen(other)
    dir:mkdir("one")
    told(dir, a)
    first:close()
    first:close()
    dir:mkdir("two")
    local names = told(dir, b)
    assert.same({ "one", "two" }, { names[1], names[#names] })
    assert.same({ "one" }, a)
    second:close()
    other:close()
  end))

  it("stays with the folder, whatever its path is called", scratch.with(function(dir)
    local sub = dir:open("sub", true)
    local names, w = listen(sub)
    sub:mkdir("x")
    assert.same({ "x" }, told(sub, names))
    w:close()
    dir:rename("sub", dir, "renamed")
    names, w = listen(sub)
    sub:mkdir("y")
    assert.same({ "y" }, told(sub, names))
    w:close()
    sub:close()
  end))

  it("may be closed from inside a call, itself and others", scratch.with(function(dir)
    local calls, list = 0, {}
    for i = 1, 5 do
      list[i] = watch.open(dir, function()
        calls = calls + 1
        for _, w in ipairs(list) do w:close() end
      end)
    end
    local names, w = listen(dir)
    dir:mkdir("x")
    dir:mkdir("y")
    told(dir, names)
    assert.equal(1, calls)
    w:close()
  end))

  it("may be opened from inside a call", scratch.with(function(dir)
    local inner, outer = {}, nil
    outer = watch.open(dir, function()
      outer:close()
      outer = watch.open(dir, function(name) inner[#inner + 1] = name end)
    end)
    dir:mkdir("x")
    local first = outer
    assert(wait_until(function() return outer ~= first end))
    dir:mkdir("y")
    assert(wait_until(function() return inner[1] end))
    assert.same({ "y" }, inner)
    outer:close()
  end))

  it("says to look again when the kernel dropped reports, and goes on", scratch.with(function(dir)
    local most = assert(io.open("/proc/sys/fs/inotify/max_queued_events"))
    local count = tonumber(most:read("*l"))
    most:close()
    if count > 50000 then pending("fs.inotify.max_queued_events is large here") end
    dir:create("a", "")
    dir:create("b", "")
    local names, w = listen(dir, true)
    for _ = 1, count / 2 + 10 do
      dir:append("a", "x")
      dir:append("b", "x")
    end
    assert(wait_until(function() return names[#names] == "?" end))
    dir:mkdir("after")
    assert(wait_until(function() return names[#names] == "after" end))
    w:close()
  end))

  it("goes on after a call that failed", scratch.with(function(_, path)
    local ran = command.lua([[
      local calls, dir = 0, require("exhost.dir").open(...)
      local w = require("exhost.watch").open(dir, function()
        calls = calls + 1
        error("broken call")
      end)
      dir:mkdir("a")
      dir:mkdir("b")
      require("exhost.async").sleep(0.2)
      w:close()
      return calls]], { args = { path } })
    assert.equal(2, ran.code)
    assert.matches("broken call", ran.err)
  end))

  it("refuses other arguments", scratch.with(function(dir)
    assert.has_error(function() watch.open(dir) end)
    assert.has_error(function() watch.open("/tmp", print) end)
    local closed = dir:open("sub", true)
    closed:close()
    assert.has_error(function() watch.open(closed, print) end)
  end))
end)
