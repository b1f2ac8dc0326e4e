/* descriptors.c - whose descriptors are whose, and that none is left. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

#include "embed.h"

enum { OPENS = 100, STREAMS = 4, SIZE = 200000 };

static int stream_of(exhost_t *host, const char *id) {
  char json[128];
  snprintf(json, sizeof json, "{\"id\":\"%s\",\"follow\":true}", id);
  exhost_event *event = ask(host, "get_log_stream", json);
  CHECK(event->code == 0 && event->fd >= 0, "%s", event->json);
  int fd = event->fd;
  CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
  CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  event->fd = -1; /* ours now */
  exhost_event_free(event);
  CHECK(fcntl(fd, F_GETFD) >= 0, "taken, and closed all the same");
  return fd;
}

static long read_all(int fd) {
  char buffer[65536];
  long total = 0;
  for (;;) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    CHECK(poll(&p, 1, 30000) == 1, "no more output");
    ssize_t got = read(fd, buffer, sizeof buffer);
    if (got == 0)
      return total;
    CHECK(got > 0 || errno == EAGAIN, "read: %s", strerror(errno));
    total += got > 0 ? got : 0;
  }
}

/* The embedder closes what it was given, twice, and what it was not. */
static void twice(exhost_t *host) {
  int ready = exhost_fd(host), other = exhost_fd(host);
  CHECK(ready >= 0 && other >= 0 && ready != other);
  CHECK(close(ready) == 0);
  CHECK(close(ready) < 0 && errno == EBADF);
  begin(host, 1, "list", "{}");
  struct pollfd p = {.fd = other, .events = POLLIN};
  CHECK(poll(&p, 1, 10000) == 1);
  exhost_event_free(expect(host, 1));
  CHECK(poll(&p, 1, 0) == 0, "readable without an event");
  close(other);
  struct rlimit before, none = {0, 0};
  CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
  none.rlim_max = before.rlim_max;
  CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
  CHECK(exhost_fd(host) == -EINVAL,
        "not the errno of fcntl()"); /* 3 is above the limit */
  CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);

  char script[64];
  snprintf(script, sizeof script, "sleep 0.2; head -c %d /dev/zero", SIZE);
  answers(host, EXHOST_OK, "start", job("output", script));
  int streams[STREAMS];
  for (int i = 0; i < STREAMS; i++)
    streams[i] = stream_of(host, "output");
  close(streams[0]);
  CHECK(close(streams[0]) < 0 && errno == EBADF);
  exhost_event *event = ask(host, "get_log_stream", "{\"id\":\"output\"}");
  int freed = event->fd;
  exhost_event_free(event); /* not taken: closed */
  CHECK(fcntl(freed, F_GETFD) < 0 && errno == EBADF);
  for (int i = 1; i < STREAMS; i++) {
    CHECK(read_all(streams[i]) == SIZE);
    close(streams[i]);
  }
}

static void open_and_close(const char *state) {
  int fds = 0, threads = 0;
  for (int i = 0; i < OPENS; i++) {
    exhost_t *host = open_host(state);
    answers(host, EXHOST_OK, "list", "{}");
    close(exhost_fd(host));
    exhost_close(host, 0);
    if (i == 0) {
      fds = entries("/proc/self/fd");
      threads = entries("/proc/self/task");
    }
  }
  CHECK(entries("/proc/self/fd") == fds, "%d instead of %d", entries("/proc/self/fd"),
        fds);
  CHECK(entries("/proc/self/task") == threads);
}

int main(int argc, char **argv) {
  const char *state = argv[argc - 1];
  exhost_t *host = open_host(state);
  twice(host);
  answers(host, EXHOST_OK, "cleanup", "{}");
  exhost_close(host, 0);
  open_and_close(state);
  return 0;
}
