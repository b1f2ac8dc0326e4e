--- exhost lua spec/support/make_outer.lua ROOT OUT SCRIPT: an archive whose init runs the script.
package.path = "./?.lua;" .. package.path
local guest = require "backends.firecracker.guest"

local root, out, script = unpack(arg)
local body = { argv = { "/bin/sh", script }, environment = { "PATH=/bin" },
  working_directory = "/", initrd = root }
local bytes, err = guest.initrd(body, {}, "outer")
local file = assert(io.open(out, "wb"))
file:write(bytes or error(err, 0))
file:close()
