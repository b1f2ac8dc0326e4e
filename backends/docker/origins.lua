--- Which part of a request sets which field of a container's body (body.lua). A field without one
--- is a default, unless a policy set it.

local PORTS, RAM = { "ports_to_bind" }, { "resources.ram.size" }
local DNS = { "gateway_ip" }

local function param(name) return { "engine_spec.params." .. name } end

---@type exhost.Origins
return {
  sent = "create", open = { HostConfig = true }, variables = "Env",
  fields = {
    Image = param "image", WorkingDir = param "working_directory", User = param "user",
    Tty = param "tty", ExposedPorts = PORTS, StopSignal = { "stop_signal" }, Labels = {},
    Entrypoint = { "provision_scripts", "engine_spec.params.entrypoint" },
    Cmd = { "provision_scripts", "engine_spec.params.entrypoint", "engine_spec.params.cmd" },
    ["HostConfig.Memory"] = RAM, ["HostConfig.MemorySwap"] = RAM,
    ["HostConfig.NanoCpus"] = { "resources.cpu.cores" },
    ["HostConfig.PidsLimit"] = param "pids", ["HostConfig.StorageOpt"] = { "resources.disk.size" },
    ["HostConfig.Privileged"] = param "privileged", ["HostConfig.SecurityOpt"] = {},
    ["HostConfig.CapDrop"] = {}, ["HostConfig.LogConfig"] = {}, ["HostConfig.Dns"] = DNS,
    ["HostConfig.DnsSearch"] = DNS, ["HostConfig.DnsOptions"] = DNS,
    ["HostConfig.Mounts"] = { "inputs", "outputs" }, ["HostConfig.PortBindings"] = PORTS,
    ["HostConfig.RestartPolicy"] = param "restart_policy",
    ["HostConfig.NetworkMode"] = param "network", ["HostConfig.Init"] = param "init",
  },
}
