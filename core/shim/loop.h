/* loop.h - wait for the next event, until the execution is over. */
#ifndef XH_LOOP_H
#define XH_LOOP_H

#include "shim.h"

/* Returns when s->phase is XH_DONE. */
void xh_loop_run(xh_shim *s);

#endif
