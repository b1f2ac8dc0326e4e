/* oom.h - whether the kernel kills in a container's control group for want of memory.
 *
 * Engines tell it too, but a busy one may lose it. Only where the group can be found
 * and read: on the engine's own machine, and for root. */
#ifndef XH_OOM_H
#define XH_OOM_H

#include <stdbool.h>

typedef struct xh_oom {
  int fd; /* to poll for `events`; -1 = not known */
  short events;
  int control; /* version 1: of the same group, as the news is another descriptor's */
  bool seen;
} xh_oom;

/* Listen, if there is such a group, in place of the one before. */
void xh_oom_open(xh_oom *oom, const char *container);

/* Take what is new. */
void xh_oom_look(xh_oom *oom);

void xh_oom_close(xh_oom *oom);

#endif
