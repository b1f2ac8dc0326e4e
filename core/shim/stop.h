/* stop.h - signal, grace, SIGKILL; and pause. */
#ifndef XH_STOP_H
#define XH_STOP_H

#include <stdbool.h>
#include <stdint.h>

struct xh_shim;

typedef struct xh_stop {
  bool active;
  bool noted;  /* it began before the main process's end, and so may explain it */
  bool killed; /* SIGKILL was sent to a living main process */
  int signal;  /* the last one sent */
  int first_signal;
  uint64_t kill_at; /* monotonic, XH_NEVER while nothing is to be killed */
  char by[32];      /* who asked first: an opaque word */
} xh_stop;

/* Signal the process group, and after grace_ns kill all there is. Before the
 * host's go: nothing will run. A later request can only make it faster. */
void xh_stop_request(struct xh_shim *s, int sig, uint64_t grace_ns, const char *by);

/* The escalation, when due, and when that is. */
void xh_stop_tick(struct xh_shim *s, uint64_t now);

/* To the main process alone, and to all of it; false when it does not run. */
bool xh_stop_signal_main(struct xh_shim *s, int sig);
bool xh_stop_pause(struct xh_shim *s, bool paused);

#endif
