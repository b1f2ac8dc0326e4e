/* reap.c - processes that the job left behind. */
#include "reap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "shim.h"
#include "supervise.h"

/* A process in state D ends when it wants; the execution's end cannot wait. */
#define SWEEP_MAX (5 * XH_SECOND)

static bool is_ours(const xh_shim *s, int pid) {
  return pid == s->job.pid || pid == s->script.pid || xh_execs_own(&s->execs, pid);
}

/* Our own children, adopted ones included: needs /proc. */
static unsigned each_child(xh_shim *s, xh_pid_fn fn) {
  int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return 0;
  unsigned sum = xh_each_pid(fd, fn, s);
  close(fd);
  return sum;
}

/* 1 if it had died of SIGKILL. */
static unsigned reap_one(int pid, void *user) {
  int status;
  if (is_ours(user, pid) || waitpid(pid, &status, WNOHANG) != pid)
    return 0;
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

void xh_reap_strays(xh_shim *s) {
  for (;;) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
      return;
    if (is_ours(s, info.si_pid))
      break; /* the kernel would answer this zombie for ever */
    waitpid(info.si_pid, NULL, WNOHANG);
  }
  each_child(s, reap_one);
}

static unsigned kill_one(int pid, void *user) {
  xh_shim *s = user;
  bool ended =
    (pid == s->job.pid && s->job.ended) || (pid == s->script.pid && s->script.ended);
  if (pid == s->pid || ended)
    return 0;
  kill(pid, SIGKILL);
  return 1;
}

unsigned xh_reap_kill(xh_shim *s) {
  pid_t pid = xh_supervise_current(s)->pid;
  if (pid > 0 && kill(-pid, SIGKILL) != 0 && errno == ESRCH)
    kill(pid, SIGKILL);
  xh_cgroup_kill(&s->cgroups);
  unsigned met = xh_cgroup_each(&s->cgroups, kill_one, s);
  met += each_child(s, kill_one);
  /* In version 1 a frozen process takes its signal when it is thawed. */
  xh_cgroup_freeze(&s->cgroups, false);
  return met;
}

void xh_reap_sweep(xh_shim *s) {
  uint64_t end = xh_clock_now() + SWEEP_MAX;
  each_child(s, reap_one);
  xh_execs_reap(s);
  int wait_ms = 0;
  while (xh_reap_kill(s) > 0) {
    if (xh_clock_now() > end) {
      s->strays_left = true;
      return;
    }
    poll(NULL, 0, wait_ms);
    if (wait_ms < 10)
      wait_ms++;
    s->strays_killed += each_child(s, reap_one);
    xh_execs_reap(s);
  }
}
