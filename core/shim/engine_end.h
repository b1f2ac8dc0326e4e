/* engine_end.h - how a container's execution comes to its end. */
#ifndef XH_ENGINE_END_H
#define XH_ENGINE_END_H

#include <stdint.h>

#include "text.h"

struct xh_shim;

/* Nothing ran, or somebody else has it: end, and leave no exit file. */
void xh_engine_leave(struct xh_shim *s);

/* The container is over; its output may still come. */
void xh_engine_over(struct xh_shim *s, uint64_t now);

/* Output has come: the grace begins anew, within its bounds. */
void xh_engine_quiet(struct xh_shim *s, uint64_t now);

/* Has all output come, or the grace passed? */
void xh_engine_end_tick(struct xh_shim *s, uint64_t now);

/* For the exit file. */
void xh_engine_evidence(struct xh_shim *s, xh_text *out);

#endif
