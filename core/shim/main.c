/* main.c - exhost-shim: supervise one execution, outliving its host. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../logformat.h"
#include "exit.h"
#include "files.h"
#include "loop.h"
#include "shim.h"
#include "source.h"
#include "text.h"

/* What a terminal or a careless kill may send. All but SIGKILL would end the
 * job with us. The child puts them back to their defaults. */
static const int IGNORED[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1,
                              SIGUSR2, SIGALRM, SIGXFSZ, SIGTSTP, SIGTTIN, SIGTTOU};

static int become_supervisor(void) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0)
    return -errno;
  while (null <= STDERR_FILENO) /* fills what the host left closed */
    null = dup(null);
  dup2(null, STDIN_FILENO);
  syscall(SYS_close_range, XH_FD_FIRST_OWN, UINT_MAX, 0);
  for (size_t i = 0; i < sizeof IGNORED / sizeof *IGNORED; i++)
    signal(IGNORED[i], SIG_IGN);
  signal(SIGCHLD, SIG_DFL);
  umask(022);
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the job's environment is in here */
  return chdir("/") == 0 ? 0 : -errno;
}

static int open_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_SETMASK, &set, NULL);
  int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

static int open_deadline(xh_shim *s) {
  s->deadline = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (s->deadline < 0)
    return -errno;
  return xh_control_deadline(s, s->spec.deadline) ? 0 : -errno;
}

static int read_spec(xh_shim *s) {
  int err = xh_spec_read(&s->spec, XH_FD_SPEC);
  s->source = xh_source_of(s);
  /* Stays taken, so that no pipe gets the number that scripts have theirs by. */
  if (err == 0 && dup3(STDIN_FILENO, XH_FD_SPEC, O_CLOEXEC) < 0)
    return -errno;
  return err;
}

static int open_log(xh_shim *s) {
  return xh_log_open(&s->log, s->dir, XH_FD_LOGS, s->spec.log_limit);
}

static int open_control(xh_shim *s) {
  s->control.fd = xh_file_control(s->dir);
  return s->control.fd < 0 ? s->control.fd : 0;
}

static int open_cgroups(xh_shim *s) {
  return xh_cgroup_open(&s->cgroups, &s->spec);
}

static int open_loop(xh_shim *s) {
  s->signals = open_signals();
  return s->signals < 0 ? s->signals : open_deadline(s);
}

static int begin(xh_shim *s) {
  return s->source->begin(s);
}

static const struct {
  const char *name;
  int (*take)(xh_shim *s);
} STEPS[] = {
  {"spec", read_spec},      {"open_log", open_log}, {"control", open_control},
  {"cgroup", open_cgroups}, {"loop", open_loop},    {"fork", begin},
};

static int refuse(xh_shim *s, int err, const char *step) {
  xh_host_error(&s->host, -err, step);
  return 1;
}

static int supervise(xh_shim *s) {
  for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
    int err = STEPS[i].take(s);
    if (err < 0)
      return refuse(s, err, STEPS[i].name);
  }
  xh_loop_run(s);
  if (s->refused)
    return 1;
  s->source->finish(s);
  xh_log_finish(&s->log);
  if (s->spec.sync)
    xh_log_sync(&s->log, XH_FD_LOGS);
  xh_exit_write(s);
  /* Last, as the host may remove everything once it has heard of a failure. */
  if (s->failure.step != NULL)
    xh_host_error(&s->host, s->failure.error, s->failure.step);
  return 0;
}

int main(int argc, char **argv) {
  xh_shim s = {
    .pid = getpid(),
    .dir = XH_FD_DIR,
    .host = {.fd = XH_FD_HOST},
    .job = {.status = -1, .park = -1},
    .script = {.status = -1, .park = -1},
  };
  uint64_t protocol;
  int err = become_supervisor();
  if (err < 0)
    return refuse(&s, err, "supervisor");
  if (argc != 2 || !xh_text_parse(argv[1], 10, &protocol) ||
      protocol != XH_SHIM_PROTOCOL)
    return refuse(&s, -EPROTO, "protocol");
  /* Not by return: a sanitizer's leak check needs ptrace, which we gave up. */
  _exit(supervise(&s));
}
