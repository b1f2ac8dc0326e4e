/* stop.c - signal, grace, SIGKILL; and pause. */
#include "stop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "clock.h"
#include "reap.h"
#include "shim.h"
#include "supervise.h"

/* A signal may not have been delivered to a process in state D, and a frozen
 * cgroup may be frozen again by others: ask again until the main process ends. */
#define KILL_AGAIN XH_SECOND

static void note(xh_stop *stop, int sig, const char *by) {
  stop->noted = true;
  stop->first_signal = sig;
  strncpy(stop->by, by, sizeof stop->by - 1);
}

/* To the group, whose number cannot be anybody else's: its leader's zombie is
 * kept. A script that has not made its group yet is met by its pid. */
static void signal_group(xh_shim *s, int sig) {
  pid_t pid = xh_supervise_current(s)->pid;
  if (kill(-pid, sig) != 0 && errno == ESRCH)
    kill(pid, sig);
}

static void send(xh_shim *s, int sig) {
  s->stop.signal = sig;
  signal_group(s, sig);
  /* After the signal, so that it is the first thing a paused job sees. */
  xh_cgroup_freeze(&s->cgroups, false);
  if (sig != SIGCONT && sig != SIGSTOP)
    signal_group(s, SIGCONT);
}

void xh_stop_request(xh_shim *s, int sig, uint64_t grace_ns, const char *by) {
  xh_stop *stop = &s->stop;
  uint64_t now = xh_clock_now();
  if (s->phase == XH_DONE)
    return;
  if (!stop->noted && s->main == NULL)
    note(stop, sig, by);
  if (s->phase < XH_RUNNING) {
    xh_supervise_abort(s);
    return;
  }
  if (!stop->active)
    stop->kill_at = XH_NEVER;
  if (sig == SIGKILL)
    grace_ns = 0;
  else if (!stop->active || sig != stop->signal)
    send(s, sig);
  stop->active = true;
  stop->kill_at = xh_clock_first(stop->kill_at, xh_clock_after(now, grace_ns));
  xh_stop_tick(s, now);
}

void xh_stop_tick(xh_shim *s, uint64_t now) {
  xh_stop *stop = &s->stop;
  if (!stop->active || now < stop->kill_at)
    return;
  if (s->main == NULL)
    stop->killed = true;
  xh_reap_kill(s);
  stop->kill_at = s->main == NULL ? now + KILL_AGAIN : XH_NEVER;
}

bool xh_stop_signal_main(xh_shim *s, int sig) {
  return s->phase == XH_RUNNING && kill(xh_supervise_current(s)->pid, sig) == 0;
}

bool xh_stop_pause(xh_shim *s, bool paused) {
  if (s->phase != XH_RUNNING)
    return false;
  if (xh_cgroup_freeze(&s->cgroups, paused))
    return true;
  signal_group(s, paused ? SIGSTOP : SIGCONT);
  return true;
}
