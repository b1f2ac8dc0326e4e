/* spec.h - what to run and how, as the host sent it. */
#ifndef XH_SPEC_H
#define XH_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "engine_spec.h"

#define XH_SPEC_MAX (16u << 20)
#define XH_SCRIPT_NAME_MAX 200

typedef struct xh_script {
  const char *name;
  const char *content;
} xh_script;

typedef struct xh_rlimit {
  bool set;
  struct rlimit value;
} xh_rlimit;

/* Strings and arrays point into the two mappings, which live as long as the
 * shim. */
typedef struct xh_spec {
  char *data;
  size_t data_size;
  char *arrays;
  size_t arrays_size;

  xh_engine_spec engine; /* then nothing of what makes a process is there */
  bool has_process;
  const char *cwd;
  char **argv;
  size_t argc;
  char **envp;
  size_t envc;
  const char **cgroups;
  size_t cgroup_count;
  uint64_t cgroup_version;
  xh_script *scripts;
  size_t script_count;
  gid_t *groups;
  size_t group_count;

  bool has_uid, has_gid;
  bool reports; /* the program says itself when the workload runs */
  uid_t uid;
  gid_t gid;
  mode_t umask;
  xh_rlimit rlimits[RLIM_NLIMITS];

  uint64_t log_limit;         /* bytes per file, 0 = none */
  uint64_t deadline;          /* CLOCK_BOOTTIME in ns, 0 = none */
  uint64_t stop_signal;       /* for the deadline; 0 = the container's own */
  uint64_t grace_ms;          /* from that signal to SIGKILL */
  uint64_t pipe_grace_ms;     /* of silence after the main process's end */
  uint64_t pipe_grace_max_ms; /* in all */
  uint64_t sync;              /* 1: logs and exit are on the disk before we leave */
} xh_spec;

/* Read fd to its end and check every item. Returns 0, or a negative errno:
 * -E2BIG above XH_SPEC_MAX, -EINVAL for an unknown key or a bad value. */
int xh_spec_read(xh_spec *spec, int fd);

/* Give back the memory of scripts that have run. The rest stays, for execs. */
void xh_spec_drop_scripts(xh_spec *spec);

#endif
