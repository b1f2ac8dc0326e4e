/* loop.c - wait for the next event, until the execution is over. */
#include "loop.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "supervise.h"

enum { SIGNALS, CONTROL, DEADLINE, HOST, SCRIPT, JOB, OUT, ERR, EXECS };
enum { SOURCES = EXECS + 2 * XH_EXECS_MAX };

/* ppoll ignores negative descriptors, so what has ended drops out by itself. */
static void watch(const xh_shim *s, struct pollfd *fds) {
  fds[SIGNALS] = (struct pollfd){.fd = s->signals, .events = POLLIN};
  fds[CONTROL] = (struct pollfd){.fd = s->control.fd, .events = POLLIN};
  fds[DEADLINE] = (struct pollfd){.fd = s->deadline, .events = POLLIN};
  /* A go that comes early stays where it is; a host that goes is noticed. */
  short go = s->phase == XH_WAITING ? POLLIN : 0;
  int host = s->phase <= XH_WAITING ? s->host.fd : -1;
  fds[HOST] = (struct pollfd){.fd = host, .events = go};
  fds[SCRIPT] = (struct pollfd){.fd = s->script.status, .events = POLLIN};
  fds[JOB] = (struct pollfd){.fd = s->job.status, .events = POLLIN};
  fds[OUT] = (struct pollfd){.fd = s->log.streams[0].pipe, .events = POLLIN};
  fds[ERR] = (struct pollfd){.fd = s->log.streams[1].pipe, .events = POLLIN};
  xh_execs_watch(&s->execs, fds + EXECS);
}

/* Every timeout there is. */
static uint64_t next_event(const xh_shim *s) {
  uint64_t next = xh_log_next(&s->log);
  next = xh_clock_first(next, xh_supervise_next(s));
  return xh_clock_first(next, s->stop.active ? s->stop.kill_at : XH_NEVER);
}

static void wait_until(uint64_t when, struct pollfd *fds, size_t count) {
  uint64_t now = when == XH_NEVER ? 0 : xh_clock_now();
  uint64_t left = when > now ? when - now : 0;
  struct timespec timeout = {.tv_sec = (time_t)(left / XH_SECOND),
                             .tv_nsec = (long)(left % XH_SECOND)};
  if (ppoll(fds, count, when == XH_NEVER ? NULL : &timeout, NULL) > 0)
    return;
  for (size_t i = 0; i < count; i++)
    fds[i].revents = 0;
}

static void drain(int fd) {
  char bytes[sizeof(struct signalfd_siginfo)];
  while (read(fd, bytes, sizeof bytes) > 0)
    continue;
}

/* One read per stream and turn, so that neither stream, nor control, nor an
 * ended child waits for more than 64 KiB of another. */
static void read_output(xh_shim *s, const struct pollfd *fds) {
  uint64_t now = xh_clock_now();
  for (int i = 0; i < 2; i++)
    if (fds[OUT + i].revents != 0 && xh_log_read(&s->log, i, now) && s->main != NULL)
      xh_supervise_output(s, now);
}

static void dispatch(xh_shim *s, const struct pollfd *fds, size_t count) {
  xh_execs_dispatch(s, fds + EXECS, (count - EXECS) / 2);
  if (fds[SCRIPT].revents != 0)
    xh_supervise_report(s, &s->script);
  if (fds[JOB].revents != 0)
    xh_supervise_report(s, &s->job);
  if (fds[SIGNALS].revents != 0) {
    drain(s->signals);
    xh_supervise_children(s);
  }
  if (fds[CONTROL].revents != 0)
    xh_control_read(s);
  if (fds[DEADLINE].revents != 0) {
    drain(s->deadline);
    xh_stop_request(s, (int)s->spec.stop_signal, xh_clock_ms(s->spec.grace_ms),
                    "deadline");
  }
  if (fds[HOST].revents != 0 && s->phase <= XH_WAITING)
    xh_supervise_host(s);
  if (fds[OUT].revents != 0 || fds[ERR].revents != 0)
    read_output(s, fds);
}

void xh_loop_run(xh_shim *s) {
  struct pollfd fds[SOURCES];
  while (s->phase != XH_DONE) {
    size_t count = EXECS + 2 * s->execs.count; /* a control line may add one */
    watch(s, fds);
    wait_until(next_event(s), fds, count);
    dispatch(s, fds, count);
    uint64_t now = xh_clock_now();
    xh_log_tick(&s->log, now);
    xh_stop_tick(s, now);
    xh_supervise_tick(s, now);
  }
}
