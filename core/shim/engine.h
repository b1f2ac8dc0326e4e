/* engine.h - the other source: a container, whose engine runs it for us. */
#ifndef XH_ENGINE_H
#define XH_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "call.h"
#include "inspect.h"
#include "oom.h"
#include "output.h"
#include "source.h"

struct xh_shim;

/* Each on a connection of its own. */
typedef enum xh_engine_call {
  XH_ENGINE_OUT,  /* attach, or after a break the logs from the beginning */
  XH_ENGINE_WAIT, /* answered at the container's next end */
  XH_ENGINE_ASK,  /* inspect */
  XH_ENGINE_ACT,  /* stop, kill, unpause */
  XH_ENGINE_CALLS
} xh_engine_call;

/* When to make a call, and how long not to after it failed. */
typedef struct xh_retry {
  uint64_t at; /* XH_NEVER = it is not wanted */
  uint64_t not_before, began, delay;
} xh_retry;

typedef enum xh_halt {
  XH_HALT_NONE,
  XH_HALT_UNPAUSE,
  XH_HALT_STOP, /* the signal, and the engine's own grace */
  XH_HALT_KILL,
} xh_halt;

typedef struct xh_engine {
  xh_call calls[XH_ENGINE_CALLS];
  xh_retry retry[XH_ENGINE_CALLS];
  bool seen[XH_ENGINE_CALLS]; /* its head was acted upon */
  xh_output output;
  xh_json json;
  xh_inspect coming, state; /* the answer that comes, and the last whole one */
  xh_json waited_json;
  xh_waited waited;
  xh_oom oom;          /* what the engine may lose */
  uint64_t group_at;   /* before go: when to look again for the group that is for it */
  uint64_t restarts;   /* the engine's count when the output was opened */
  uint64_t first_seen; /* when the engine first told the state */
  bool orphan;         /* the host hung up before go */
  bool broken;         /* a connection was cut: an end of output is not to be trusted */
  bool removed;        /* somebody else did */
  bool no_history;     /* only what is put out from now on can be had */
  uint64_t reattached;
  uint64_t
    lost_at;    /* realtime of the first cut since the output was last followed, or 0 */
  bool away;    /* and since then nobody listened there */
  xh_halt halt; /* what is still to be done */
  xh_halt acting; /* what the call is about */
  bool kill_due;
  bool no_kill; /* the engine's `kill` does not apply: use its `stop` */
} xh_engine;

extern const xh_source XH_SOURCE_ENGINE;

/* It was started: by the host that says so, or by one that then died. */
void xh_engine_run(struct xh_shim *s);

/* Make a call no later than `when`, unless it is made now or has to rest. */
void xh_engine_want(xh_engine *e, xh_engine_call which, uint64_t when);

/* It failed, or came to an end: rest longer each time that follows closely. */
void xh_engine_rest(xh_engine *e, xh_engine_call which, uint64_t now);

/* "METHOD /v1.41/containers/ID" and the rest. */
void xh_engine_call_begin(struct xh_shim *s, xh_engine_call which, const char *method,
                          const char *rest, uint64_t expires);

/* The answer is not the one hoped for: an errno or a status above 299, or 0. */
int xh_engine_failure(const xh_call *call);

#endif
