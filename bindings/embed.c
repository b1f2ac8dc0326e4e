/* embed.c - exhost.h, the embedder's side: a host on a thread of its own, spoken to
 * through a mailbox. */
#include "embed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
  const char *name;
  int code;
} CODES[] = {
  {"invalid", EXHOST_INVALID},
  {"not_found", EXHOST_NOT_FOUND},
  {"already_started", EXHOST_ALREADY_STARTED},
  {"already_completed", EXHOST_ALREADY_COMPLETED},
  {"denied", EXHOST_DENIED},
  {"unsupported", EXHOST_UNSUPPORTED},
  {"unavailable", EXHOST_UNAVAILABLE},
  {"engine", EXHOST_ENGINE},
  {"timeout", EXHOST_TIMEOUT},
  {"cancelled", EXHOST_CANCELLED},
  {"policy", EXHOST_POLICY},
  {"io", EXHOST_IO},
  {"internal", EXHOST_INTERNAL},
  {"no_memory", EXHOST_NO_MEMORY},
  {"closed", EXHOST_CLOSED},
};

const char *exhost_strerror(int code) {
  if (code == EXHOST_OK)
    return "ok";
  for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++)
    if (CODES[i].code == code)
      return CODES[i].name;
  return "unknown";
}

const char *exhost_version(void) {
  return XH_VERSION;
}

int exhost_api_version(void) {
  return EXHOST_API_VERSION;
}

int xh_embed_code(const char *name) {
  for (size_t i = 0; name != NULL && i < sizeof CODES / sizeof *CODES; i++)
    if (strcmp(CODES[i].name, name) == 0)
      return CODES[i].code;
  return EXHOST_INTERNAL;
}

/* The thread inherits a mask with everything blocked: no signal of the embedder's is
 * ever delivered to it. */
static int start_thread(exhost_t *e) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int err = pthread_create(&e->thread, NULL, xh_embed_run, e);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return err == 0 ? EXHOST_OK : EXHOST_NO_MEMORY;
}

/* Options of a caller built against an older header are shorter, of a newer one longer:
 * what we do not know has to be zero. */
static int read_options(exhost_options *out, const exhost_options *options) {
  if (options == NULL || options->struct_size < offsetof(exhost_options, executor_id))
    return EXHOST_INVALID;
  size_t size = options->struct_size;
  memset(out, 0, sizeof *out);
  memcpy(out, options, size < sizeof *out ? size : sizeof *out);
  for (size_t i = sizeof *out; i < size; i++)
    if (((const char *)options)[i] != 0) {
      xh_embed_explain(out, "an option is set that this library is too old for");
      return EXHOST_INVALID;
    }
  return EXHOST_OK;
}

int exhost_open(const exhost_options *options, exhost_t **out) {
  exhost_options known;
  if (out == NULL || read_options(&known, options) < 0)
    return EXHOST_INVALID;
  *out = NULL;
  exhost_t *e = calloc(1, sizeof *e);
  if (e == NULL)
    return EXHOST_NO_MEMORY;
  e->in_flight.next = e->in_flight.previous = &e->in_flight;
  e->options = &known;
  if (xh_mailbox_open(&e->box) < 0) {
    free(e);
    xh_embed_explain(&known, "no descriptor is left");
    return EXHOST_IO;
  }
  pthread_barrier_init(&e->opened, NULL, 2);
  int result = start_thread(e);
  if (result == EXHOST_OK) {
    pthread_barrier_wait(&e->opened);
    result = e->result;
    if (result < 0)
      pthread_join(e->thread, NULL);
  }
  pthread_barrier_destroy(&e->opened);
  e->options = NULL;
  if (result < 0) {
    xh_mailbox_close(&e->box);
    free(e);
    return result;
  }
  *out = e;
  return EXHOST_OK;
}

static int queue(exhost_t *host, xh_call *c) {
  int result = xh_mailbox_queue(&host->box, c);
  if (result > 0)
    uv_async_send(&host->wake);
  return result < 0 ? result : EXHOST_OK;
}

int exhost_call(exhost_t *host, uint64_t tag, const char *method, const char *json,
                size_t len, int64_t timeout_ms) {
  int result;
  xh_call *c = xh_mailbox_make(tag, method, json, len, timeout_ms, &result);
  return c != NULL ? queue(host, c) : result;
}

int exhost_call_now(exhost_t *host, uint64_t tag, const char *method, const char *json,
                    size_t len, int64_t timeout_ms, exhost_event **event) {
  int result;
  xh_waiter waiter = {0};
  *event = NULL;
  xh_call *c = xh_mailbox_make(tag, method, json, len, timeout_ms, &result);
  if (c == NULL)
    return result;
  c->waiter = &waiter;
  result = queue(host, c);
  if (result == EXHOST_OK)
    *event = xh_mailbox_await(&waiter);
  return result;
}

int exhost_cancel(exhost_t *host, uint64_t tag) {
  xh_call *c = xh_mailbox_make_cancel(tag);
  return c != NULL ? queue(host, c) : EXHOST_NO_MEMORY;
}

int exhost_next(exhost_t *host, exhost_event **event, int timeout_ms) {
  return xh_mailbox_next(&host->box, event, timeout_ms);
}

int exhost_fd(exhost_t *host) {
  int fd = fcntl(host->box.ready, F_DUPFD_CLOEXEC, 3);
  return fd >= 0 ? fd : -errno;
}

void exhost_close(exhost_t *host, int timeout_ms) {
  if (host == NULL)
    return;
  host->close_within = timeout_ms;
  __atomic_store_n(&host->closing, true, __ATOMIC_RELEASE);
  uv_async_send(&host->wake);
  pthread_join(host->thread, NULL);
  xh_mailbox_drain(&host->box, timeout_ms);
  xh_mailbox_close(&host->box);
  free(host);
}
