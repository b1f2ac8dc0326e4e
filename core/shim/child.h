/* child.h - processes that wait, complete but for execve, for a word. */
#ifndef XH_CHILD_H
#define XH_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "cgroup.h"
#include "spec.h"

/* Job or script. Its zombie is kept until the shim ends: that keeps the pid,
 * and with it the process group's number, from being given to anybody else. */
typedef struct xh_child {
  pid_t pid;  /* 0 = there is none */
  int status; /* what became of its preparations; -1 once known */
  int park;   /* one byte here lets it go; -1 when released */
  bool released;
  bool ended; /* a zombie, or reaped */
} xh_child;

typedef struct xh_launch {
  const xh_spec *spec;
  const xh_cgroups *cgroups;
  int output[2];           /* write ends */
  const xh_script *script; /* NULL = argv */
  char **argv;             /* NULL = the spec's */
  bool placed;             /* born in its cgroup; set by xh_child_fork */
} xh_launch;

/* What the child says on the status pipe, whose end means that it has passed
 * execve, or that it died. */
typedef struct xh_report {
  int step;  /* XH_STEP_PARKED, or the one that failed */
  int error; /* errno */
} xh_report;

#define XH_STEP_PARKED (-1)

/* A child that reports by itself (`reports` in the spec) has the status pipe as this
 * descriptor across execve: its end means that the workload runs. A step of its own is
 * XH_STEP_REPORTED and its place in this list. */
#define XH_FD_STATUS 3
#define XH_STEP_REPORTED 100
#define XH_REPORTED_STEPS                                                              \
  {                                                                                    \
    "exec", "script", "user", "cwd", "root", "job", "fork", "listen", "mount",         \
      "network", "disk", NULL                                                          \
  }

/* Start a process that prepares itself and then waits. 0 or a negative errno. */
int xh_child_fork(xh_child *child, const xh_launch *how);

/* Read the next report. 1: there is one. 0: the pipe has ended and was closed.
 * -EAGAIN: nothing yet. */
int xh_child_report(xh_child *child, xh_report *report);

/* Let it go: execve is next. Safe to repeat. */
void xh_child_release(xh_child *child);

/* Kill and reap a process that was never released. Safe on none. */
void xh_child_discard(xh_child *child);

/* "cwd", "exec", ...: what a report's step is called in answers. */
const char *xh_child_step(int step);

#endif
