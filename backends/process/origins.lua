--- Which part of a request sets what of a process (spec.lua).

local USER = { "engine_spec.params.user" }

---@type exhost.Origins
return {
  variables = "environment",
  fields = {
    argv = { "engine_spec.params.entrypoint", "engine_spec.params.cmd" },
    working_directory = { "engine_spec.params.working_directory" },
    uid = USER, gid = USER, groups = USER, umask = {},
    limits = { "resources.ram.size", "resources.cpu.cores", "engine_spec.params.pids" },
    rlimits = { "engine_spec.params.rlimits" }, scripts = { "provision_scripts" },
    timeout = { "timeout" }, stop_signal = { "stop_signal" }, stop_grace = { "stop_grace" },
  },
}
