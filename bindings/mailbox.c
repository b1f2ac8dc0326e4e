/* mailbox.c - between the embedder's threads and a host's own: events out. */
#include "mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* The event first, so that its address is the box's. */
typedef struct xh_event_box {
  exhost_event event;
  struct xh_event_box *next;
  char text[];
} xh_event_box;

enum { MOST_HELD = 8 };

int xh_mailbox_open(xh_mailbox *m) {
  pthread_condattr_t monotonic;
  *m = (xh_mailbox){.ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (m->ready < 0)
    return -errno;
  pthread_mutex_init(&m->lock, NULL);
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&m->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  return 0;
}

void xh_mailbox_close(xh_mailbox *m) {
  for (xh_call *c = xh_mailbox_take(m, true), *next; c != NULL; c = next) {
    next = c->next;
    free(c);
  }
  for (xh_event_box *b = m->first_event, *next; b != NULL; b = next) {
    next = b->next;
    exhost_event_free(&b->event);
  }
  close(m->ready);
  pthread_cond_destroy(&m->changed);
  pthread_mutex_destroy(&m->lock);
}

static void pass_on(xh_mailbox *m) {
  uint64_t one = 1;
  if (m->first_held == NULL)
    return;
  pthread_mutex_lock(&m->lock);
  if (m->last_event != NULL) {
    m->last_event->next = m->first_held;
  } else { /* after others, it is readable already */
    m->first_event = m->first_held;
    ssize_t done = write(m->ready, &one, sizeof one);
    (void)done;
  }
  m->last_event = m->last_held;
  bool awaited = m->readers > 0;
  pthread_mutex_unlock(&m->lock);
  m->first_held = m->last_held = NULL;
  m->held = 0;
  if (awaited) /* not inside: who wakes up would wait for the lock at once */
    pthread_cond_broadcast(&m->changed);
}

void xh_mailbox_hold(xh_mailbox *m) {
  m->holding = true;
}

void xh_mailbox_release(xh_mailbox *m) {
  m->holding = false;
  pass_on(m);
}

static void append(xh_mailbox *m, xh_event_box *box) {
  if (m->last_held != NULL)
    m->last_held->next = box;
  else
    m->first_held = box;
  m->last_held = box;
  m->held++;
  if (!m->holding || m->held >= MOST_HELD)
    pass_on(m);
}

static xh_event_box *make_event(uint64_t tag, int code, const char *json, size_t len,
                                int fd) {
  static const char NONE[] = "{\"code\":\"internal\",\"message\":\"out of memory\"}";
  xh_event_box *box = malloc(sizeof *box + len + 1);
  while (box == NULL) { /* a short answer, as soon as there is room for one */
    json = NONE;
    len = sizeof NONE - 1;
    code = EXHOST_NO_MEMORY;
    box = malloc(sizeof *box + len + 1);
    if (box == NULL)
      nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  }
  *box = (xh_event_box){.event = {.tag = tag, .code = code, .len = len, .fd = fd}};
  memcpy(box->text, json, len);
  box->text[len] = '\0';
  box->event.json = box->text;
  return box;
}

void xh_mailbox_answer(xh_mailbox *m, xh_call *c, int code, const char *json,
                       size_t len, int fd) {
  xh_event_box *box = make_event(c->tag, code, json, len, fd);
  if (c->waiter != NULL)
    xh_mailbox_settle(m, c, &box->event);
  else
    append(m, box);
  free(c);
}

void xh_mailbox_end(xh_mailbox *m) {
  uint64_t one = 1;
  pthread_mutex_lock(&m->lock);
  m->no_events = true;
  ssize_t done =
    write(m->ready, &one, sizeof one); /* wakes who polls; stays readable */
  (void)done;
  pthread_cond_broadcast(&m->changed);
  pthread_mutex_unlock(&m->lock);
}

static struct timespec after(int timeout_ms) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_sec += timeout_ms / 1000;
  t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
  if (t.tv_nsec >= 1000000000) {
    t.tv_sec++;
    t.tv_nsec -= 1000000000;
  }
  return t;
}

/* Wait for a change. False when the time is over. */
static bool wait_change(xh_mailbox *m, int timeout_ms, const struct timespec *end) {
  if (timeout_ms < 0)
    return pthread_cond_wait(&m->changed, &m->lock) == 0;
  return timeout_ms > 0 &&
         pthread_cond_timedwait(&m->changed, &m->lock, end) != ETIMEDOUT;
}

static exhost_event *pop(xh_mailbox *m) {
  uint64_t count;
  xh_event_box *box = m->first_event;
  m->first_event = box->next;
  if (m->first_event == NULL) {
    m->last_event = NULL;
    if (!m->no_events) {
      ssize_t got = read(m->ready, &count, sizeof count);
      (void)got;
    }
  }
  return &box->event;
}

int xh_mailbox_next(xh_mailbox *m, exhost_event **event, int timeout_ms) {
  struct timespec end = timeout_ms > 0 ? after(timeout_ms) : (struct timespec){0};
  int result = EXHOST_TIMEOUT;
  pthread_mutex_lock(&m->lock);
  m->readers++;
  while (m->first_event == NULL && !m->no_events && wait_change(m, timeout_ms, &end))
    continue;
  if (m->first_event != NULL) {
    *event = pop(m);
    result = EXHOST_OK;
  } else if (m->no_events) {
    result = EXHOST_CLOSED;
    m->told = true;
  }
  m->readers--;
  if (m->no_events)
    pthread_cond_broadcast(&m->changed);
  pthread_mutex_unlock(&m->lock);
  return result;
}

void xh_mailbox_drain(xh_mailbox *m, int timeout_ms) {
  struct timespec end = after(timeout_ms > 0 ? timeout_ms : 0);
  pthread_mutex_lock(&m->lock);
  while ((m->first_event != NULL || !m->told) && wait_change(m, timeout_ms, &end))
    continue;
  while (m->readers > 0)
    pthread_cond_wait(&m->changed, &m->lock);
  pthread_mutex_unlock(&m->lock);
}

void exhost_event_free(exhost_event *event) {
  if (event == NULL)
    return;
  if (event->fd >= 0)
    close(event->fd);
  free(event); /* the first field of its box */
}
