/* inspect.h - what an engine says of a container's state. */
#ifndef XH_INSPECT_H
#define XH_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "json.h"

typedef struct xh_inspect {
  bool known; /* there was a State */
  bool running, paused, restarting, oom_killed, has_code;
  uint64_t code;
  uint64_t restarts;
  char image[80]; /* its id */
  char status[16];
  char started_at[40], finished_at[40];
  char error[XH_JSON_VALUE];
} xh_inspect;

/* The answer to `wait`. */
typedef struct xh_waited {
  bool has_code, failed; /* failed: it also says why waiting did */
  uint64_t code;
} xh_waited;

/* Make ready for an answer, whose body is then given to xh_json_take. */
void xh_inspect_begin(xh_inspect *i, xh_json *json);
void xh_waited_begin(xh_waited *w, xh_json *json);

/* What is known of it is from while it ran; now it has ended with this code. */
void xh_inspect_end(xh_inspect *i, uint64_t code);

/* It was never started. */
bool xh_inspect_created(const xh_inspect *i);

/* Nothing of it runs, and nothing will by itself. */
bool xh_inspect_over(const xh_inspect *i);

#endif
