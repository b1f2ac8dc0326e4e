/* embed.h - what the two sides of exhost.h share: a host and how its thread begins. */
#ifndef XH_EMBED_H
#define XH_EMBED_H

#include <pthread.h>
#include <stdbool.h>

#include "host.h"
#include "mailbox.h"

/* What Lua registers: on_call(call, method, json, timeout), on_cancel(call),
 * on_close(). */
enum { ON_CALL, ON_CANCEL, ON_CLOSE, HANDLERS };

struct exhost {
  xh_host host;
  xh_paths paths;
  xh_mailbox box;
  pthread_t thread;
  uv_async_t wake;
  uv_timer_t last_call; /* ends the loop when closing takes too long */
  xh_ref handlers[HANDLERS];
  xh_call *next_cancelled;       /* while some are cancelled; the host's thread only */
  xh_call *beginning;            /* unanswered so far; the host's thread only */
  xh_call in_flight;             /* head of a ring; the host's thread only */
  const exhost_options *options; /* only while exhost_open() runs */
  pthread_barrier_t opened;
  int result;       /* of opening */
  int close_within; /* ms; written before closing is set */
  bool closing;     /* atomic */
  bool closed_lua;
};

/* The host's thread, from opening to the end of its loop: arg is an exhost_t. */
void *xh_embed_run(void *arg);

/* The code of a name such as "not_found"; EXHOST_INTERNAL for none that is known. */
int xh_embed_code(const char *name);

/* Say what went wrong where the options want to be told. */
void xh_embed_explain(const exhost_options *o, const char *message);

#endif
