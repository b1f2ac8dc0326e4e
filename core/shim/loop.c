/* loop.c - wait for the next event, until the execution is over. */
#include "loop.h"

#include <poll.h>
#include <unistd.h>

#include "clock.h"
#include "source.h"

enum { CONTROL, DEADLINE, HOST, SOURCE };

/* ppoll ignores negative descriptors, so what has ended drops out by itself. */
static void watch(const xh_shim *s, struct pollfd *fds) {
  fds[CONTROL] = (struct pollfd){.fd = s->control.fd, .events = POLLIN};
  /* One that passes before *go* ends the job at once, as it would a moment later. */
  fds[DEADLINE] =
    (struct pollfd){.fd = s->phase < XH_RUNNING ? -1 : s->deadline, .events = POLLIN};
  /* A go that comes early stays where it is; a host that goes is noticed. */
  short go = s->phase == XH_WAITING ? POLLIN : 0;
  int host = s->phase <= XH_WAITING ? s->host.fd : -1;
  fds[HOST] = (struct pollfd){.fd = host, .events = go};
}

/* Every timeout there is. */
static uint64_t next_event(const xh_shim *s) {
  return xh_clock_first(xh_log_next(&s->log), s->source->next(s));
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

static void at_deadline(xh_shim *s) {
  uint64_t count;
  if (read(s->deadline, &count, sizeof count) == (ssize_t)sizeof count)
    s->source->stop(s, (int)s->spec.stop_signal, xh_clock_ms(s->spec.grace_ms),
                    "deadline");
}

static void dispatch(xh_shim *s, const struct pollfd *fds, size_t count) {
  s->source->dispatch(s, fds + SOURCE, count);
  if (fds[CONTROL].revents != 0)
    xh_control_read(s);
  if (fds[DEADLINE].revents != 0)
    at_deadline(s);
  if (fds[HOST].revents != 0 && s->phase <= XH_WAITING)
    s->source->host(s);
}

void xh_loop_run(xh_shim *s) {
  struct pollfd fds[SOURCE + XH_SOURCE_FDS];
  while (s->phase != XH_DONE) {
    watch(s, fds);
    size_t count = s->source->watch(s, fds + SOURCE); /* dispatch may add some */
    wait_until(next_event(s), fds, SOURCE + count);
    dispatch(s, fds, count);
    uint64_t now = xh_clock_now();
    xh_log_tick(&s->log, now);
    s->source->tick(s, now);
  }
}
