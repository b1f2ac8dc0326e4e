/* mailbox.h - between the embedder's threads and a host's own: calls in, events out.
 *
 * Knows no Lua and no loop. Every function may be called from any thread. */
#ifndef XH_MAILBOX_H
#define XH_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "include/exhost.h"

/* Something to do for the host. A call lives until its answer is put. */
typedef struct xh_call {
  struct xh_call *next, *previous; /* in the queue, then among those in flight */
  uint64_t tag;
  bool is_cancel; /* not a call: cancel those with this tag */
  bool timed;     /* has a time-out */
  double timeout; /* seconds */
  size_t len;
  const char *method, *json; /* behind the struct; both end with NUL */
} xh_call;

typedef struct xh_mailbox {
  pthread_mutex_t lock;
  pthread_cond_t changed; /* events came or went, or it was closed */
  xh_call *first_call, *last_call;
  struct xh_event_box *first_event, *last_event;
  int ready;      /* eventfd, readable while there are events */
  int readers;    /* threads inside xh_mailbox_next() */
  bool no_calls;  /* no more calls are taken */
  bool no_events; /* no more events come */
  bool told;      /* a reader was told so */
} xh_mailbox;

/* 0 or a negative errno. */
int xh_mailbox_open(xh_mailbox *m);

/* Frees what is left in it. Nobody may be inside any more. */
void xh_mailbox_close(xh_mailbox *m);

/* Queue a call. EXHOST_INVALID, EXHOST_NO_MEMORY or EXHOST_CLOSED on failure. */
int xh_mailbox_call(xh_mailbox *m, uint64_t tag, const char *method, const char *json,
                    size_t len, int64_t timeout_ms);
int xh_mailbox_cancel(xh_mailbox *m, uint64_t tag);

/* Take all queued calls, in order; NULL when there are none. With `last` none are
 * taken in afterwards. */
xh_call *xh_mailbox_take(xh_mailbox *m, bool last);

/* Put an event with a copy of json; takes over fd. Out of memory, the event says so
 * without its text: it always comes. */
void xh_mailbox_put(xh_mailbox *m, uint64_t tag, int code, const char *json, size_t len,
                    int fd);

/* No more events will come: readers get EXHOST_CLOSED after the last one. */
void xh_mailbox_end(xh_mailbox *m);

/* As exhost_next(). */
int xh_mailbox_next(xh_mailbox *m, exhost_event **event, int timeout_ms);

/* After xh_mailbox_end(): wait until all events were taken and a reader was told that
 * there are no more, or the time is over; in any case until all readers have left. */
void xh_mailbox_drain(xh_mailbox *m, int timeout_ms);

#endif
