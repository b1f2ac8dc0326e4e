/* source.h - where an execution's output and its end come from. */
#ifndef XH_SOURCE_H
#define XH_SOURCE_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "execs.h"
#include "text.h"

#define XH_SOURCE_FDS (5 + 2 * XH_EXECS_MAX)

struct xh_shim;

typedef struct xh_source {
  int (*begin)(struct xh_shim *s); /* 0 or a negative errno */
  /* Descriptors to poll, at most XH_SOURCE_FDS, and what has come of them. */
  size_t (*watch)(const struct xh_shim *s, struct pollfd *fds);
  void (*dispatch)(struct xh_shim *s, const struct pollfd *fds, size_t count);
  void (*host)(struct xh_shim *s); /* the host has spoken, or hung up */
  void (*stop)(struct xh_shim *s, int sig, uint64_t grace_ns, const char *by);
  void (*tick)(struct xh_shim *s, uint64_t now);
  uint64_t (*next)(const struct xh_shim *s);
  void (*finish)(struct xh_shim *s); /* it is over: leave nothing behind */
  void (*evidence)(struct xh_shim *s, xh_text *out);
} xh_source;

/* The source that the spec names. */
const xh_source *xh_source_of(const struct xh_shim *s);

#endif
