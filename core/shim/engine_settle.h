/* engine_settle.h - what an engine's answers mean. */
#ifndef XH_ENGINE_SETTLE_H
#define XH_ENGINE_SETTLE_H

#include <stdint.h>

#include "engine.h"

/* A call has begun, come further, or ended. */
void xh_engine_settle(struct xh_shim *s, xh_engine_call which, uint64_t now);

#endif
