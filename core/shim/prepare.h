/* prepare.h - the child's side of a fork: become the job, step by step. */
#ifndef XH_PREPARE_H
#define XH_PREPARE_H

#include <stdnoreturn.h>
#include <sys/types.h>

#include "child.h"

typedef struct xh_prepare_fds {
  int status; /* write end: an xh_report for success and failure */
  int park;   /* read end: a byte means execve, the end means leave */
  int script; /* the script's content, or -1 */
} xh_prepare_fds;

/* Never returns: execve, or _exit after a report. */
noreturn void xh_prepare(const xh_launch *how, xh_prepare_fds fds, pid_t shim);

/* What a report's step is called; static text. */
const char *xh_prepare_step(int step);

#endif
