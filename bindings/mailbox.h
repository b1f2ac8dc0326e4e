/* mailbox.h - between the embedder's threads and a host's own: calls in, events out.
 *
 * Knows no Lua and no loop. Calls may be made from any thread; the host's own
 * thread takes and answers them. */
#ifndef XH_MAILBOX_H
#define XH_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "include/exhost.h"

/* Who waits until the host has taken up a call. */
typedef struct xh_waiter {
  int state; /* atomic, a futex; see mailbox.c */
  exhost_event *event;
} xh_waiter;

/* Something to do for the host. A call lives until its answer is put. */
typedef struct xh_call {
  struct xh_call *next, *previous; /* in the queue, then among those in flight */
  uint64_t tag;
  bool is_cancel; /* not a call: cancel those with this tag */
  bool timed;     /* has a time-out */
  double timeout; /* seconds */
  size_t len;
  const char *method, *json; /* behind the struct; both end with NUL */
  struct xh_waiter *waiter;  /* on its caller's stack; NULL when that does not wait */
} xh_call;

typedef struct xh_mailbox {
  xh_call *calls; /* atomic; a stack: the newest first */
  pthread_mutex_t lock;
  pthread_cond_t changed; /* events came or went, or it was closed */
  struct xh_event_box *first_event, *last_event;
  struct xh_event_box *first_held, *last_held; /* the host's thread only */
  int held;
  bool holding;
  int64_t answered, lingered; /* when a caller that waits had its answer, last and when
                               * the host lingered; the host's thread only */
  int ready;                  /* eventfd, readable while there are events */
  int readers;                /* threads inside xh_mailbox_next() */
  bool no_events;             /* no more events come */
  bool told;                  /* a reader was told so */
} xh_mailbox;

/* 0 or a negative errno. */
int xh_mailbox_open(xh_mailbox *m);

/* Frees what is left in it. Nobody may be inside any more. */
void xh_mailbox_close(xh_mailbox *m);

/* A call, not yet queued, or NULL: EXHOST_INVALID or EXHOST_NO_MEMORY in *result. */
xh_call *xh_mailbox_make(uint64_t tag, const char *method, const char *json, size_t len,
                         int64_t timeout_ms, int *result);

/* A request to cancel the calls with this tag; NULL: out of memory. */
xh_call *xh_mailbox_make_cancel(uint64_t tag);

/* Queue it and own it. Answers 1 when the host has to be woken up, 0 when that is done
 * by somebody else, EXHOST_CLOSED when it was freed instead. */
int xh_mailbox_queue(xh_mailbox *m, xh_call *c);

/* Take all queued calls, in order; NULL when there are none. With `last` none are
 * taken in afterwards. */
xh_call *xh_mailbox_take(xh_mailbox *m, bool last);

/* Answer a call, which is freed, with a copy of json; takes over fd. Out of memory, the
 * event says so without its text: it always comes. */
void xh_mailbox_answer(xh_mailbox *m, xh_call *c, int code, const char *json,
                       size_t len, int fd);

/* Whether the call is unanswered or not, its caller waits no longer. */
void xh_mailbox_settle(xh_mailbox *m, xh_call *c, exhost_event *event);

/* True when the next call is there before the host has gone to sleep. It stays up for a
 * moment after callers that wait came one upon the other: to be woken up takes longer.
 */
bool xh_mailbox_linger(xh_mailbox *m);

/* The caller's side of it: the answer, or NULL when that comes as an event. */
exhost_event *xh_mailbox_await(xh_waiter *waiter);

/* Between the two, events may be passed on together. */
void xh_mailbox_hold(xh_mailbox *m);
void xh_mailbox_release(xh_mailbox *m);

/* No more events will come: readers get EXHOST_CLOSED after the last one. */
void xh_mailbox_end(xh_mailbox *m);

/* As exhost_next(). */
int xh_mailbox_next(xh_mailbox *m, exhost_event **event, int timeout_ms);

/* After xh_mailbox_end(): wait until all events were taken and a reader was told that
 * there are no more, or the time is over; in any case until all readers have left. */
void xh_mailbox_drain(xh_mailbox *m, int timeout_ms);

#endif
