/* engine_spec.h - which container of which engine is to be supervised. */
#ifndef XH_ENGINE_SPEC_H
#define XH_ENGINE_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#define XH_ENGINE_NAME_MAX 255

typedef struct xh_engine_spec {
  const char *address; /* see dial.h; NULL = a child process is */
  const char *container;
  const char *api; /* "1.41" */
  bool tty;
  bool reattach;    /* it may run, or be over: no *go* is awaited */
  bool once;        /* no restart policy: its first end is its last */
  uint64_t skip[2]; /* bytes of this execution that the logs have already */
} xh_engine_spec;

/* Take an item of the spec. 1 taken, 0 a bad value, -1 not one of these. */
int xh_engine_spec_take(xh_engine_spec *spec, const char *key, const char *value);

/* All there, or nothing at all. */
bool xh_engine_spec_complete(const xh_engine_spec *spec);

/* Whether the engine's API has what came with 1.minor. */
bool xh_engine_spec_has(const xh_engine_spec *spec, uint64_t minor);

#endif
