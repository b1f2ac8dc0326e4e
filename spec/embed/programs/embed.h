/* embed.h - what the test programs share. Each prints nothing and exits with 0 when all
 * is well. */
#ifndef EMBED_H
#define EMBED_H

#include <dirent.h>
#include <exhost.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition, ...)                                                          \
  do {                                                                                 \
    if (!(condition)) {                                                                \
      fprintf(stderr, "%s:%d: %s:", __FILE__, __LINE__, #condition);                   \
      fprintf(stderr, " " __VA_ARGS__);                                                \
      fputc('\n', stderr);                                                             \
      exit(1);                                                                         \
    }                                                                                  \
  } while (0)

static inline exhost_t *open_host(const char *state) {
  char why[256] = "";
  exhost_options o = {.struct_size = sizeof o,
                      .state_dir = state,
                      .error = why,
                      .error_size = sizeof why};
  exhost_t *host;
  int code = exhost_open(&o, &host);
  CHECK(code == 0, "%s: %s", exhost_strerror(code), why);
  return host;
}

static inline void begin(exhost_t *host, uint64_t tag, const char *method,
                         const char *json) {
  int code = exhost_call(host, tag, method, json, strlen(json), -1);
  CHECK(code == 0, "%s: %s", method, exhost_strerror(code));
}

/* The next event, which has this tag. */
static inline exhost_event *expect(exhost_t *host, uint64_t tag) {
  exhost_event *event;
  int code = exhost_next(host, &event, 30000);
  CHECK(code == 0, "%s", exhost_strerror(code));
  CHECK(event->tag == tag, "%d instead of %d", (int)event->tag, (int)tag);
  CHECK(strlen(event->json) == event->len, "%s", event->json);
  return event;
}

/* A call and its answer. */
static inline exhost_event *ask(exhost_t *host, const char *method, const char *json) {
  static uint64_t last = 1000000;
  begin(host, ++last, method, json);
  return expect(host, last);
}

/* A call that answers with this code. */
static inline void answers(exhost_t *host, int code, const char *method,
                           const char *json) {
  exhost_event *event = ask(host, method, json);
  CHECK(event->code == code, "%s %s: %s", method, json, event->json);
  exhost_event_free(event);
}

/* A request as the parameters of start and run. */
static inline const char *job(const char *id, const char *script) {
  static _Thread_local char text[1024];
  snprintf(text, sizeof text,
           "{\"request\":{\"job_id\":\"%s\",\"engine_spec\":{\"type\":\"process\","
           "\"params\":{\"cmd\":[\"/bin/sh\",\"-c\",\"%s\"]}}}}",
           id, script);
  return text;
}

static inline const char *with_id(const char *id) {
  static _Thread_local char text[256];
  snprintf(text, sizeof text, "{\"id\":\"%s\"}", id);
  return text;
}

static inline int entries(const char *path) {
  DIR *dir = opendir(path);
  CHECK(dir != NULL, "%s", path);
  int count = 0;
  while (readdir(dir) != NULL)
    count++;
  closedir(dir);
  return count;
}

/* Wait until no more than so many descriptors are open; list them if that never comes.
 */
static inline void settle(int fds) {
  for (int i = 0; i < 1000 && entries("/proc/self/fd") > fds; i++)
    usleep(10000);
  if (entries("/proc/self/fd") <= fds)
    return;
  for (int fd = 0; fd < 1024; fd++) {
    char path[64], target[256];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, target, sizeof target);
    if (length >= 0)
      fprintf(stderr, "%d %.*s\n", fd, (int)length, target);
  }
  CHECK(false, "more than %d descriptors", fds);
}

static inline double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#endif
