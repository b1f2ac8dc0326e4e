/* execs.h - more processes in a running execution, on behalf of hosts.
 *
 * A host makes a folder "exec-…" in the execution's with a file `argv` (NUL-ended
 * words) and the FIFOs `stdout`, `stderr` and `status`, opens the FIFOs for reading and
 * writes "exec FOLDER" to the control FIFO. The process gets the job's user, directory,
 * environment, limits and control group. Its output goes straight into the FIFOs; on
 * `status` come "started PID", then "exit CODE" or "signal N", or "error ERRNO STEP".
 * When the host closes `status`, the process is killed. */
#ifndef XH_EXECS_H
#define XH_EXECS_H

#include <stdbool.h>
#include <stddef.h>

#include "child.h"

struct pollfd;
struct xh_shim;

#define XH_EXECS_MAX 32 /* at once */

typedef struct xh_exec {
  xh_child child; /* pid 0 = the slot is free */
  int status;     /* the FIFO's write end */
  bool failed;    /* never passed execve */
} xh_exec;

typedef struct xh_execs {
  xh_exec slots[XH_EXECS_MAX];
  size_t count; /* slots in use lie below this */
} xh_execs;

/* Start one. False when nobody could be told what became of it. */
bool xh_execs_start(struct xh_shim *s, const char *folder);

/* Two descriptors each, 2 * count in all: reports and the hosts' hang-ups. */
void xh_execs_watch(const xh_execs *execs, struct pollfd *fds);
void xh_execs_dispatch(struct xh_shim *s, const struct pollfd *fds, size_t count);

/* Tell and forget those that have ended. */
void xh_execs_reap(struct xh_shim *s);

bool xh_execs_own(const xh_execs *execs, int pid);

#endif
