/* mailbox_calls.c - between the embedder's threads and a host's own: calls in. */
#include "mailbox.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Stand for the queue of a host that takes no more calls, and for the empty one of a
 * host that is up and looks. */
static const xh_call closed, watched;
#define CLOSED ((xh_call *)(uintptr_t)&closed)
#define WATCHED ((xh_call *)(uintptr_t)&watched)

enum { SPINNING, ASLEEP, SETTLED }; /* xh_waiter.state */

enum {
  LOOK_NS = 50000, /* how long to look for what may come before going to sleep */
  LOOKS = 8,       /* between two looks at the clock */
  SOON_NS =
    4 * LOOK_NS, /* a call so soon after the last one's answer may not be the last */
};

xh_call *xh_mailbox_make(uint64_t tag, const char *method, const char *json, size_t len,
                         int64_t timeout_ms, int *result) {
  *result = EXHOST_INVALID;
  if (method == NULL || (json == NULL && len > 0))
    return NULL;
  *result = EXHOST_NO_MEMORY;
  size_t name = strlen(method) + 1;
  xh_call *c = len > SIZE_MAX / 2 ? NULL : calloc(1, sizeof *c + name + len + 1);
  if (c == NULL)
    return NULL;
  c->tag = tag;
  c->timed = timeout_ms >= 0;
  c->timeout = (double)timeout_ms / 1000;
  c->len = len;
  char *text = (char *)(c + 1);
  c->method = memcpy(text, method, name);
  c->json = text + name;
  if (len > 0)
    memcpy(text + name, json, len);
  *result = EXHOST_OK;
  return c;
}

xh_call *xh_mailbox_make_cancel(uint64_t tag) {
  xh_call *c = calloc(1, sizeof *c);
  if (c == NULL)
    return NULL;
  c->tag = tag;
  c->is_cancel = true;
  return c;
}

int xh_mailbox_queue(xh_mailbox *m, xh_call *c) {
  xh_call *newest = __atomic_load_n(&m->calls, __ATOMIC_ACQUIRE);
  do {
    if (newest == CLOSED) {
      free(c);
      return EXHOST_CLOSED;
    }
    c->next = newest;
  } while (!__atomic_compare_exchange_n(&m->calls, &newest, c, true, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE));
  return newest == NULL; /* else the host looks, or who came before us wakes it */
}

static long futex(int *word, int operation, int value) {
  return syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Looking at a word that another thread is about to change. */
typedef struct spin {
  int64_t until;
  int looks;
} spin;

/* False when LOOK_NS are over. Whoever is to change the word may need this processor.
 */
static bool spin_again(spin *s) {
  if (s->looks++ % LOOKS == 0) {
    int64_t now = now_ns();
    if (s->until == 0)
      s->until = now + LOOK_NS;
    if (now > s->until)
      return false;
    sched_yield();
  }
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
  return true;
}

/* Without a time-out: the host settles each call as soon as it has looked at it, and a
 * timer would take longer than that. */
exhost_event *xh_mailbox_await(xh_waiter *waiter) {
  int spinning = SPINNING;
  spin s = {0};
  while (__atomic_load_n(&waiter->state, __ATOMIC_ACQUIRE) == SPINNING &&
         spin_again(&s))
    continue;
  if (__atomic_compare_exchange_n(&waiter->state, &spinning, ASLEEP, false,
                                  __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    while (__atomic_load_n(&waiter->state, __ATOMIC_ACQUIRE) == ASLEEP)
      futex(&waiter->state, FUTEX_WAIT_PRIVATE, ASLEEP);
  return waiter->event;
}

void xh_mailbox_settle(xh_mailbox *m, xh_call *c, exhost_event *event) {
  xh_waiter *waiter = c->waiter;
  c->waiter = NULL;
  waiter->event = event;
  m->answered = now_ns();
  /* From here on it may be gone, and this is only an address. */
  if (__atomic_exchange_n(&waiter->state, SETTLED, __ATOMIC_ACQ_REL) == ASLEEP)
    futex(&waiter->state, FUTEX_WAKE_PRIVATE, 1);
}

bool xh_mailbox_linger(xh_mailbox *m) {
  xh_call *empty = NULL, *looking = WATCHED;
  int64_t before = m->lingered;
  m->lingered = m->answered;
  if (m->answered == before || m->answered - before > SOON_NS)
    return false;
  if (!__atomic_compare_exchange_n(&m->calls, &empty, WATCHED, false, __ATOMIC_ACQ_REL,
                                   __ATOMIC_ACQUIRE))
    return empty != CLOSED;
  spin s = {0};
  while (__atomic_load_n(&m->calls, __ATOMIC_ACQUIRE) == WATCHED && spin_again(&s))
    continue;
  return !__atomic_compare_exchange_n(&m->calls, &looking, NULL, false,
                                      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

xh_call *xh_mailbox_take(xh_mailbox *m, bool last) {
  xh_call *c = __atomic_exchange_n(&m->calls, last ? CLOSED : NULL, __ATOMIC_ACQ_REL);
  xh_call *first = NULL;
  while (c != NULL && c != CLOSED && c != WATCHED) {
    xh_call *older = c->next;
    c->next = first;
    first = c;
    c = older;
  }
  return first;
}
