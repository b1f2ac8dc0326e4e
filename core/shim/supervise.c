/* supervise.c - the life of an execution: parked, go, scripts, job, end. */
#include "supervise.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "clock.h"
#include "reap.h"

static xh_launch launch(const xh_shim *s, const xh_script *script) {
  return (xh_launch){
    .spec = &s->spec,
    .cgroups = &s->cgroups,
    .output = {s->log.streams[0].writer, s->log.streams[1].writer},
    .script = script,
  };
}

int xh_supervise_begin(xh_shim *s) {
  xh_launch how = launch(s, NULL);
  return xh_child_fork(&s->job, &how);
}

xh_child *xh_supervise_current(xh_shim *s) {
  return s->script.pid != 0 ? &s->script : &s->job;
}

/* The first failure is the reason; what follows from it is not. */
static void fail(xh_shim *s, int error, const char *step) {
  if (s->failure.step == NULL)
    s->failure = (xh_failure){error, step};
}

void xh_supervise_abort(xh_shim *s) {
  fail(s, ECANCELED, "go");
  kill(s->job.pid, SIGKILL);
  s->phase = XH_ENDING;
}

/* The process whose end is the execution's end has ended. Its pipes may still
 * be held by others. */
static void finish(xh_shim *s, xh_child *main) {
  s->main = main;
  s->phase = XH_ENDING;
  s->ended_at = xh_clock(CLOCK_REALTIME);
  s->ended_mono = xh_clock_now();
  s->cut_at = xh_clock_after(s->ended_mono, xh_clock_ms(s->spec.pipe_grace_max_ms));
  xh_supervise_output(s, s->ended_mono);
  if (main == &s->script)
    xh_child_discard(&s->job);
  xh_log_close_writers(&s->log);
}

/* Start the next script, or let the job go. */
static void advance(xh_shim *s) {
  if (s->next_script < s->spec.script_count) {
    xh_launch how = launch(s, &s->spec.scripts[s->next_script++]);
    int err = xh_child_fork(&s->script, &how);
    if (err == 0)
      return;
    fail(s, -err, "fork");
    s->script_failed = true;
    kill(s->job.pid, SIGKILL);
  } else if (s->job.ended) {
    /* Somebody else killed it while the scripts ran. */
    fail(s, ESRCH, "park");
    finish(s, &s->job);
  } else {
    xh_child_release(&s->job);
    xh_log_close_writers(&s->log);
  }
}

static void parked(xh_shim *s, xh_child *child) {
  if (child == &s->script) {
    /* A stop that came before its signals were at their defaults is lost. */
    if (s->stop.active)
      kill(child->pid, SIGKILL);
    xh_child_release(child);
  } else if (s->phase == XH_PARKING) {
    s->phase = XH_WAITING;
    xh_host_ready(&s->host);
  }
}

static void executed(xh_shim *s, const xh_child *child) {
  if (!s->started) {
    s->started = true;
    s->started_at = xh_clock(CLOCK_REALTIME);
    s->started_mono = xh_clock_now();
    xh_host_started(&s->host, child->pid);
    xh_host_close(&s->host);
  }
  if (child == &s->job) {
    s->executed = true;
    xh_spec_drop_scripts(&s->spec); /* the rest is for execs */
  }
}

static void failed(xh_shim *s, xh_child *child, const xh_report *report) {
  const char *step = xh_child_step(report->step);
  if (child == &s->script && strcmp(step, "exec") == 0)
    step = "script"; /* the program is not the job's */
  if (s->phase == XH_PARKING) {
    /* Reaped before the answer, so that the host can remove the cgroup. */
    xh_child_discard(child);
    xh_host_error(&s->host, report->error, step);
    s->refused = true;
    s->phase = XH_DONE;
    return;
  }
  fail(s, report->error, step);
}

void xh_supervise_report(xh_shim *s, xh_child *child) {
  xh_report report;
  for (;;) {
    int got = xh_child_report(child, &report);
    if (got < 0)
      return;
    if (got > 0 && report.step == XH_STEP_PARKED)
      parked(s, child);
    else if (got > 0)
      failed(s, child, &report);
    else if (child->released && s->failure.step == NULL)
      executed(s, child);
  }
}

static void script_ended(xh_shim *s) {
  siginfo_t info = {0};
  waitid(P_PID, (id_t)s->script.pid, &info, WEXITED | WNOHANG | WNOWAIT);
  bool good = info.si_code == CLD_EXITED && info.si_status == 0;
  if (good && !s->stop.active) {
    waitpid(s->script.pid, NULL, 0);
    s->script = (xh_child){.status = -1, .park = -1};
    advance(s);
  } else {
    s->script_failed = true;
    finish(s, &s->script);
  }
}

static bool has_ended(const xh_child *child) {
  siginfo_t info = {0};
  if (child->pid == 0 || child->ended)
    return false;
  return waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == child->pid;
}

void xh_supervise_children(xh_shim *s) {
  if (has_ended(&s->script)) {
    s->script.ended = true;
    /* What it said before it ended may have been overtaken by SIGCHLD. */
    xh_supervise_report(s, &s->script);
    script_ended(s);
  }
  if (has_ended(&s->job)) {
    s->job.ended = true;
    xh_supervise_report(s, &s->job);
    if (s->phase < XH_RUNNING)
      fail(s, ESRCH, "park"); /* killed by somebody else */
    if (s->phase != XH_DONE && s->script.pid == 0)
      finish(s, &s->job);
  }
  xh_execs_reap(s);
  if (s->phase != XH_DONE)
    xh_reap_strays(s);
}

void xh_supervise_host(xh_shim *s) {
  xh_word word = xh_host_read(&s->host);
  if (word == XH_WORD_GONE) {
    xh_supervise_abort(s);
  } else if (word == XH_WORD_GO && s->phase == XH_WAITING) {
    s->phase = XH_RUNNING;
    advance(s);
  }
}

void xh_supervise_output(xh_shim *s, uint64_t now) {
  uint64_t quiet = xh_clock_after(now, xh_clock_ms(s->spec.pipe_grace_ms));
  s->quiet_at = xh_clock_first(quiet, s->cut_at);
}

void xh_supervise_tick(xh_shim *s, uint64_t now) {
  if (s->phase != XH_ENDING || s->main == NULL)
    return;
  s->output_cut = !xh_log_ended(&s->log) && now >= s->quiet_at;
  if (xh_log_ended(&s->log) || s->output_cut)
    s->phase = XH_DONE;
}

uint64_t xh_supervise_next(const xh_shim *s) {
  return s->phase == XH_ENDING && s->main != NULL ? s->quiet_at : XH_NEVER;
}
