--- The task helper, under the name specs use.
return require "spec.conformance.task"
