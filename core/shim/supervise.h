/* supervise.h - the life of an execution: parked, go, scripts, job, end. */
#ifndef XH_SUPERVISE_H
#define XH_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>

#include "shim.h"
#include "source.h"

extern const xh_source XH_SOURCE_CHILD;

/* Fork the job's process. 0 or a negative errno. */
int xh_supervise_begin(xh_shim *s);

/* The process that counts now: script or job. */
xh_child *xh_supervise_current(xh_shim *s);

/* Events: a child's report is there, children have changed, the host has
 * spoken, output has come. */
void xh_supervise_report(xh_shim *s, xh_child *child);
void xh_supervise_children(xh_shim *s);
void xh_supervise_host(xh_shim *s);
void xh_supervise_output(xh_shim *s, uint64_t now);

/* The host is gone, or a stop came, before go: nothing will run. */
void xh_supervise_abort(xh_shim *s);

/* Is it over? And when to ask again, beside events. */
void xh_supervise_tick(xh_shim *s, uint64_t now);
uint64_t xh_supervise_next(const xh_shim *s);

#endif
