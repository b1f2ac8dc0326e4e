--- How the conformance specs ask for a job here: EXHOST_FIRECRACKER, EXHOST_TEST_KERNEL and
--- EXHOST_TEST_INITRD (one with a busybox) name what it takes.
return {
  request = function(argv, id)
    return { job_id = id, execution_id = id, engine_spec = { type = "firecracker", params = {
      kernel_image = assert(os.getenv "EXHOST_TEST_KERNEL", "set EXHOST_TEST_KERNEL"),
      initrd = assert(os.getenv "EXHOST_TEST_INITRD", "set EXHOST_TEST_INITRD"), cmd = argv } } }
  end,
}
