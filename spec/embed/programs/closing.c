/* closing.c - a host that is closed with calls in flight. */
#include <pthread.h>

#include "embed.h"

enum { WAITS = 50, STREAMS = 5, STARTS = 5 };
enum { CALLS = WAITS + STREAMS + STARTS };

typedef struct drain {
  exhost_t *host;
  int seen[CALLS], codes[CALLS];
} drain;

static void *run(void *arg) {
  drain *d = arg;
  exhost_event *event;
  while (exhost_next(d->host, &event, -1) == 0) {
    CHECK(event->tag < CALLS);
    d->seen[event->tag]++;
    d->codes[event->tag] = event->code;
    exhost_event_free(event);
  }
  return NULL;
}

/* Each call answers, once; then the reader is told. */
static void in_flight(const char *state) {
  drain d = {.host = open_host(state)};
  answers(d.host, EXHOST_OK, "start", job("long", "sleep 60"));
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, run, &d) == 0);
  for (int i = 0; i < CALLS; i++) {
    char id[32];
    snprintf(id, sizeof id, "start-%d", i);
    if (i < WAITS)
      begin(d.host, (uint64_t)i, "wait", with_id("long"));
    else if (i < WAITS + STREAMS)
      begin(d.host, (uint64_t)i, "get_log_stream", "{\"id\":\"long\",\"follow\":true}");
    else
      begin(d.host, (uint64_t)i, "start", job(id, "sleep 60"));
  }
  exhost_close(d.host, -1);
  pthread_join(thread, NULL);
  for (int i = 0; i < CALLS; i++) {
    CHECK(d.seen[i] == 1, "call %d answered %d times", i, d.seen[i]);
    if (i < WAITS)
      CHECK(d.codes[i] == EXHOST_CANCELLED, "call %d: %d", i, d.codes[i]);
  }
  exhost_t *next = open_host(state);
  answers(next, EXHOST_OK, "recover", "{}");
  for (int i = WAITS + STREAMS; i < CALLS; i++) {
    char id[32];
    snprintf(id, sizeof id, "start-%d", i);
    answers(next, d.codes[i] == 0 ? EXHOST_OK : EXHOST_NOT_FOUND, "status",
            with_id(id));
  }
  answers(next, EXHOST_OK, "status", with_id("long"));
  exhost_close(next, 0);
}

/* Nobody drains: events that were not taken are thrown away, their descriptors closed.
 */
static void nobody_drains(const char *state) {
  int before = entries("/proc/self/fd");
  for (int i = 0; i < 10; i++) {
    exhost_t *host = open_host(state);
    double began = now();
    for (int j = 0; j < 10; j++) {
      begin(host, 1, "wait", with_id("long"));
      begin(host, 1, "get_log_stream", "{\"id\":\"long\"}");
    }
    if (i % 2 == 0)
      usleep(20000);
    exhost_close(host, i % 3 == 0 ? 50 : 0);
    CHECK(now() - began < 5, "%f s", now() - began);
  }
  CHECK(entries("/proc/self/fd") == before);
}

int main(int argc, char **argv) {
  const char *state = argv[argc - 1];
  in_flight(state);
  nobody_drains(state);
  exhost_t *host = open_host(state);
  answers(host, EXHOST_OK, "cleanup", "{}");
  exhost_close(host, 0);
  exhost_close(NULL, -1);
  return 0;
}
