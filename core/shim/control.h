/* control.h - lines that any host may write to the control FIFO. */
#ifndef XH_CONTROL_H
#define XH_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../logformat.h"

struct xh_shim;

typedef struct xh_control {
  int fd;
  size_t used;
  bool overlong; /* skip to the next newline */
  uint64_t bad;  /* lines without effect: unknown, malformed, or not possible */
  char line[XH_CONTROL_MAX];
} xh_control;

/* Obey what has come. */
void xh_control_read(struct xh_shim *s);

/* Set the absolute deadline on CLOCK_BOOTTIME, 0 = none. */
bool xh_control_deadline(struct xh_shim *s, uint64_t boottime_ns);

#endif
