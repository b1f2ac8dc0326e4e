--- Which part of a request sets what of a machine (machine.lua).

local RESOURCES = { "resources.cpu.cores", "resources.ram.size" }
local USER = { "engine_spec.params.user" }

local function param(name) return { "engine_spec.params." .. name } end

---@type exhost.Origins
return {
  open = { config = true }, variables = "environment",
  fields = {
    ["config.machine-config"] = RESOURCES, limits = RESOURCES,
    ["config.boot-source"] = { "engine_spec.params.kernel_image",
      "engine_spec.params.kernel_args" },
    ["config.drives"] = { "engine_spec.params.root_file_system", "inputs", "outputs" },
    ["config.network-interfaces"] = param "network",
    kernel = param "kernel_image", initrd = param "initrd", disk = param "root_file_system",
    disk_shared = param "root_read_only", network = param "network",
    metadata = param "mmds_message",
    argv = { "engine_spec.params.entrypoint", "engine_spec.params.cmd" },
    working_directory = param "working_directory", user = USER, uid = USER, gid = USER,
    scripts = { "provision_scripts" }, volumes = { "inputs", "outputs" },
    binary = {}, name = { "execution_id" }, jail = {}, timeout = { "timeout" },
    stop_signal = { "stop_signal" }, stop_grace = { "stop_grace" },
  },
}
