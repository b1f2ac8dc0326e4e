-- Jobs that ask for no GPU get none: also where the engine's default runtime would give
-- every GPU to an image whose own environment asks for them.
---@type exhost.Policy
return {
  name = "cpu", version = "1",
  env = function(_, _, env)
    env.NVIDIA_VISIBLE_DEVICES = "void"
  end,
  examples = {
    { request = {}, host = {}, expect_env = { NVIDIA_VISIBLE_DEVICES = "void" } },
  },
}
