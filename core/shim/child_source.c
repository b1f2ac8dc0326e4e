/* child_source.c - the usual source: a child process and its pipes. */
#include "source.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "reap.h"
#include "shim.h"
#include "supervise.h"

enum { SIGNALS, SCRIPT, JOB, OUT, ERR, EXECS };

static int begin(xh_shim *s) {
  int err = xh_log_pipes(&s->log, &s->spec);
  return err < 0 ? err : xh_supervise_begin(s);
}

/* ppoll ignores negative descriptors, so what has ended drops out by itself. */
static size_t watch(const xh_shim *s, struct pollfd *fds) {
  fds[SIGNALS] = (struct pollfd){.fd = s->signals, .events = POLLIN};
  fds[SCRIPT] = (struct pollfd){.fd = s->script.status, .events = POLLIN};
  fds[JOB] = (struct pollfd){.fd = s->job.status, .events = POLLIN};
  fds[OUT] = (struct pollfd){.fd = s->log.streams[0].pipe, .events = POLLIN};
  fds[ERR] = (struct pollfd){.fd = s->log.streams[1].pipe, .events = POLLIN};
  xh_execs_watch(&s->execs, fds + EXECS);
  return EXECS + 2 * s->execs.count;
}

/* One read per stream and turn, so that neither stream, nor control, nor an
 * ended child waits for more than 64 KiB of another. */
static void read_output(xh_shim *s, const struct pollfd *fds) {
  uint64_t now = xh_clock_now();
  for (int i = 0; i < 2; i++)
    if (fds[OUT + i].revents != 0 && xh_log_read(&s->log, i, now) && s->main != NULL)
      xh_supervise_output(s, now);
}

static void drain(int fd) {
  char bytes[sizeof(struct signalfd_siginfo)];
  while (read(fd, bytes, sizeof bytes) > 0)
    continue;
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
  if (fds[OUT].revents != 0 || fds[ERR].revents != 0)
    read_output(s, fds);
}

static void tick(xh_shim *s, uint64_t now) {
  xh_stop_tick(s, now);
  xh_supervise_tick(s, now);
}

static uint64_t next(const xh_shim *s) {
  uint64_t kill_at = s->stop.active ? s->stop.kill_at : XH_NEVER;
  return xh_clock_first(xh_supervise_next(s), kill_at);
}

static void evidence(xh_shim *s, xh_text *out) {
  if (s->output_cut)
    xh_text_pair(out, "pipe_grace", "expired");
  if (s->strays_killed > 0)
    xh_text_count(out, "strays_killed", s->strays_killed);
  if (s->strays_left)
    xh_text_count(out, "strays_left", 1);
  xh_cgroup_evidence(&s->cgroups, out);
  xh_cgroup_remove(&s->cgroups);
}

const xh_source XH_SOURCE_CHILD = {
  .begin = begin,
  .watch = watch,
  .dispatch = dispatch,
  .host = xh_supervise_host,
  .stop = xh_stop_request,
  .tick = tick,
  .next = next,
  .finish = xh_reap_sweep,
  .evidence = evidence,
};
