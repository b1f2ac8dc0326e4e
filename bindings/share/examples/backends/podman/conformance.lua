--- How the conformance specs ask for a job here: busybox, in an image that is there.
return {
  is_init = true,
  request = function(argv, id)
    return { job_id = id, execution_id = id, engine_spec = { type = "podman",
      params = { image = os.getenv("EXHOST_TEST_IMAGE") or "bb:1", cmd = argv } } }
  end,
}
