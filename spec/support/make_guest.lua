--- exhost lua spec/support/make_guest.lua FOLDER: writes kernel and initrd for the stand-in.
package.path = "./spec/?.lua;./?.lua;" .. package.path
require("support.guest_image").write(assert(arg[1], "expected a folder"))
