/* engine_stop.h - stop a container: signal, grace, SIGKILL, all by its engine. */
#ifndef XH_ENGINE_STOP_H
#define XH_ENGINE_STOP_H

#include <stdint.h>

struct xh_shim;

/* As xh_stop_request. Signal 0 is the container's own. Before go it is only
 * remembered: whether the host starts the container is not ours to say. */
void xh_engine_stop(struct xh_shim *s, int sig, uint64_t grace_ns, const char *by);

/* The escalation, when due. */
void xh_engine_stop_tick(struct xh_shim *s, uint64_t now);

/* The container is known to run now: do what is to be done. */
void xh_engine_stop_act(struct xh_shim *s, uint64_t now);

/* An answer has come. */
void xh_engine_stop_settle(struct xh_shim *s, uint64_t now);

#endif
