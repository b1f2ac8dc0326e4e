/* become.h - the child's side of a fork: become the job or a script of it. */
#ifndef XH_GUEST_BECOME_H
#define XH_GUEST_BECOME_H

#include "job.h"

typedef struct xh_failed {
  int error; /* errno */
  int step;  /* for xh_become_step */
} xh_failed;

/* Never returns: execve, or a word on `status` and _exit. `output` are the ends of
 * pipes for stdout and stderr, or -1: they stay what they are. */
_Noreturn void xh_become(const xh_job *job, const char *script, const int output[2],
                         int status);

const char *xh_become_step(int step);

#endif
