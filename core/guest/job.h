/* job.h - what the guest is to run. */
#ifndef XH_GUEST_JOB_H
#define XH_GUEST_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define XH_JOB_MAGIC "EXHOST1\n"

typedef struct xh_job {
  const char *token; /* proves to the host that a record is ours */
  char **argv;
  size_t argc;
  char **envp;
  size_t envc;
  const char *cwd;
  char *user; /* by name, for xh_user_find; NULL = none */
  bool has_uid, has_gid;
  uid_t uid;
  gid_t gid;
  gid_t *groups;
  size_t group_count;
  char **drives; /* "DEVICE HOW TARGET" */
  size_t drive_count;
  const char **script_names;
  const char **scripts;
  size_t script_count;
} xh_job;

/* Read a file of XH_JOB_MAGIC, then key=value items that each end with a NUL, and
 * delete it: the workload shall not find the token. 0 or a negative errno. */
int xh_job_read(xh_job *job, const char *path);

#endif
