/* prepare.c - the child's side of a fork: become the job, step by step. */
#include "prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exec.h"

#define LAST_SIGNAL 64

static int checked(int result) {
  return result < 0 ? -errno : 0;
}

/* By system call: glibc's sigaction refuses the two signals that it keeps for
 * threads, yet a host may have left those ignored, and that survives execve. */
static int default_signals(const xh_launch *how) {
  struct {
    void *handler;
    unsigned long flags;
    void *restorer;
    unsigned long mask;
  } action = {NULL, 0, NULL, 0};
  unsigned long none = 0;
  (void)how;
  for (int sig = 1; sig <= LAST_SIGNAL; sig++)
    syscall(SYS_rt_sigaction, sig, &action, NULL, sizeof none);
  return checked(
    (int)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none));
}

static int session(const xh_launch *how) {
  (void)how;
  return checked(setsid());
}

static int stdio(const xh_launch *how) {
  if (dup2(how->output[0], STDOUT_FILENO) < 0)
    return -errno;
  return checked(dup2(how->output[1], STDERR_FILENO));
}

static int cgroup(const xh_launch *how) {
  return how->placed ? 0 : xh_cgroup_enter(how->cgroups);
}

/* Needs root for a higher hard limit, so it comes before the change of user. */
static int limits(const xh_launch *how) {
  for (int i = 0; i < RLIM_NLIMITS; i++) {
    const xh_rlimit *limit = &how->spec->rlimits[i];
    /* In libraries the number has a type of each one's own. */
    if (limit->set && syscall(SYS_prlimit64, 0, i, &limit->value, NULL) != 0)
      return -errno;
  }
  return 0;
}

static int user(const xh_launch *how) {
  const xh_spec *spec = how->spec;
  if ((spec->has_uid || spec->group_count > 0) &&
      setgroups(spec->group_count, spec->groups) != 0)
    return -errno;
  if (spec->has_gid && setresgid(spec->gid, spec->gid, spec->gid) != 0)
    return -errno;
  if (spec->has_uid && setresuid(spec->uid, spec->uid, spec->uid) != 0)
    return -errno;
  umask(spec->umask);
  return 0;
}

/* A change of user clears it, so it comes after that. */
static int die_with_parent(const xh_launch *how) {
  (void)how;
  return checked(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
}

static int cwd(const xh_launch *how) {
  return checked(chdir(how->spec->cwd));
}

static const struct {
  const char *name;
  int (*apply)(const xh_launch *how);
} STEPS[] = {
  {"signals", default_signals},
  {"session", session},
  {"stdio", stdio},
  {"cgroup", cgroup},
  {"rlimit", limits},
  {"user", user},
  {"pdeathsig", die_with_parent},
  {"cwd", cwd},
};

#define STEP_COUNT ((int)(sizeof STEPS / sizeof *STEPS))
#define STEP_EXEC STEP_COUNT

const char *xh_prepare_step(int step) {
  static const char *const REPORTED[] = XH_REPORTED_STEPS;
  int count = (int)(sizeof REPORTED / sizeof *REPORTED) - 1;
  if (step >= XH_STEP_REPORTED && step < XH_STEP_REPORTED + count)
    return REPORTED[step - XH_STEP_REPORTED];
  return step >= 0 && step < STEP_COUNT ? STEPS[step].name : "exec";
}

/* The shim's descriptors would go at execve anyway, but a parked child lives
 * on, and its copy of the host's socket would hide the shim's end of it. */
static void close_others(const xh_prepare_fds *fds) {
  for (unsigned from = 3;;) {
    unsigned next = UINT_MAX;
    int keep[] = {fds->status, fds->park, fds->script};
    for (size_t i = 0; i < 3; i++)
      if (keep[i] >= 0 && (unsigned)keep[i] >= from && (unsigned)keep[i] < next)
        next = (unsigned)keep[i];
    if (next > from)
      syscall(SYS_close_range, from, next == UINT_MAX ? next : next - 1, 0);
    if (next == UINT_MAX)
      return;
    from = next + 1;
  }
}

static void report(int fd, int step, int error) {
  xh_report report = {step, error};
  ssize_t done = write(fd, &report, sizeof report);
  (void)done;
}

/* dup2 leaves out close-on-exec, so it stays open behind execve. */
static int hand_over(int status) {
  return status == XH_FD_STATUS ? fcntl(status, F_SETFD, 0),
         status                 : dup2(status, XH_FD_STATUS);
}

noreturn void xh_prepare(const xh_launch *how, xh_prepare_fds fds, pid_t shim) {
  char word;
  for (int step = 0; step < STEP_COUNT; step++) {
    int err = STEPS[step].apply(how);
    if (err < 0) {
      report(fds.status, step, -err);
      _exit(127);
    }
  }
  close_others(&fds);
  if (getppid() != shim) /* it died before PDEATHSIG was set */
    _exit(127);
  report(fds.status, XH_STEP_PARKED, 0);
  if (read(fds.park, &word, 1) != 1)
    _exit(127);
  if (how->spec->reports && how->script == NULL && how->argv == NULL)
    fds.status = hand_over(fds.status);
  int err =
    fds.script >= 0
      ? xh_exec_script(how->spec, how->script, fds.script)
      : xh_exec_argv(how->spec, how->argv != NULL ? how->argv : how->spec->argv);
  report(fds.status, STEP_EXEC, -err);
  _exit(127);
}
