/* reap.h - processes that the job left behind. */
#ifndef XH_REAP_H
#define XH_REAP_H

#include <stdbool.h>

struct xh_shim;

/* Reap adopted processes that have ended; never job or script. */
void xh_reap_strays(struct xh_shim *s);

/* SIGKILL for group, cgroup and adopted processes. Returns how many were met
 * beside the group. Those that were forked meanwhile may have been missed. */
unsigned xh_reap_kill(struct xh_shim *s);

/* Kill and reap until none is left; counts them in s->strays_killed. */
void xh_reap_sweep(struct xh_shim *s);

#endif
