/* feed.c - two readers of the event feed, of which one sleeps. */
#include <errno.h>
#include <poll.h>

#include "embed.h"

enum { JOBS = 250 };

typedef struct reader {
  int fd;
  char line[65536];
  size_t used;
  long seq, missed, lines;
  bool ended; /* the last job's end was told */
} reader;

static int subscribe(exhost_t *host) {
  exhost_event *event = ask(host, "subscribe", "{\"buffer\":4096}");
  CHECK(event->code == 0 && event->fd >= 0, "%s", event->json);
  int fd = event->fd;
  event->fd = -1;
  exhost_event_free(event);
  return fd;
}

/* Lines are numbered from 1; where numbers are missing, a line says how many. */
static void take(reader *r, const char *line) {
  const char *seq = strstr(line, "\"seq\":"), *missed = strstr(line, "\"missed\":");
  CHECK(seq != NULL, "%s", line);
  long number = atol(seq + 6);
  if (missed != NULL) {
    r->missed += atol(missed + 9);
    CHECK(number == r->lines + r->missed || number == r->lines + r->missed + 1,
          "%s after %ld lines, %ld missed", line, r->lines, r->missed);
  } else {
    r->lines++;
    CHECK(number == r->lines + r->missed, "%s after %ld lines, %ld missed", line,
          r->lines, r->missed);
  }
  r->seq = number;
  if (strstr(line, "\"concluded\"") != NULL && strstr(line, "\"final\"") != NULL)
    r->ended = true;
}

/* Everything that is there now. */
static void drain(reader *r) {
  ssize_t got;
  while ((got = read(r->fd, r->line + r->used, sizeof r->line - r->used - 1)) > 0) {
    r->used += (size_t)got;
    r->line[r->used] = '\0';
    char *start = r->line, *end;
    while ((end = strchr(start, '\n')) != NULL) {
      *end = '\0';
      take(r, start);
      start = end + 1;
    }
    r->used -= (size_t)(start - r->line);
    memmove(r->line, start, r->used);
  }
  CHECK(got < 0 && errno == EAGAIN, "the feed has ended");
}

static void run_job(exhost_t *host, const char *id) {
  exhost_event *event = ask(host, "run", job(id, "exit 0"));
  CHECK(event->code == 0, "%s", event->json);
  exhost_event_free(event);
}

int main(int argc, char **argv) {
  static reader awake, asleep;
  exhost_t *host = open_host(argv[argc - 1]);
  awake.fd = subscribe(host);
  asleep.fd = subscribe(host);
  for (int i = 0; i < JOBS; i++) {
    char id[32];
    snprintf(id, sizeof id, "job-%d", i);
    run_job(host, id);
    drain(&awake);
  }
  drain(&asleep); /* there is room again */
  run_job(host, "final");
  double ends = now() + 20;
  while ((!awake.ended || !asleep.ended) && now() < ends) {
    drain(&awake);
    drain(&asleep);
    usleep(1000);
  }
  CHECK(awake.ended && asleep.ended);
  CHECK(awake.missed == 0, "%ld", awake.missed);
  CHECK(asleep.missed > 0, "of %ld", asleep.seq);
  CHECK(asleep.seq >= awake.lines - 1, "%ld of %ld", asleep.seq, awake.lines);
  close(awake.fd);
  answers(host, EXHOST_OK, "cleanup", "{}"); /* nobody reads: nobody is hurt */
  close(asleep.fd);
  exhost_close(host, 0);
  return 0;
}
