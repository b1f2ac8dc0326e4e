/* run.c - fork, listen, reap. Pid 1 also inherits what others leave behind. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "become.h"
#include "exec.h"
#include "wire.h"

/* How long output may stay open after the end of its process. */
#define QUIET_MS 2000
#define CUT_MS 10000

enum { SIGNALS, HOST, OUT, ERR, COUNT };

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int xh_run_open(xh_runner *r, const xh_job *job, xh_reporter *reporter) {
  sigset_t set;
  sigfillset(&set);
  sigprocmask(SIG_SETMASK, &set, NULL);
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGINT);
  *r = (xh_runner){.job = job, .reporter = reporter, .output = {-1, -1}};
  r->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  return r->signals < 0 ? -errno : 0;
}

static void send_signal(xh_runner *r, int sig, bool all) {
  if (r->current == 0)
    r->wanted = sig;
  else if (!r->ended)
    kill(all ? -r->current : r->current, sig);
}

/* Whole frames at the start of the buffer; what the host sends is short. */
static void obey(xh_runner *r) {
  for (;;) {
    if (r->pending < XH_WIRE_HEADER)
      return;
    size_t size = xh_wire_size((unsigned char *)r->frame);
    if (size > sizeof r->frame - XH_WIRE_HEADER - 1)
      size = 0; /* not our host's */
    if (r->pending < XH_WIRE_HEADER + size)
      return;
    char text[sizeof r->frame] = "";
    memcpy(text, r->frame + XH_WIRE_HEADER, size);
    int sig = atoi(text);
    r->told |= r->frame[0] == XH_WIRE_STOP;
    if ((r->frame[0] == XH_WIRE_SIGNAL || r->frame[0] == XH_WIRE_STOP) && sig > 0)
      send_signal(r, sig, r->frame[0] == XH_WIRE_STOP);
    if (r->frame[0] == XH_WIRE_EXEC && !r->lone)
      xh_exec_start(r, text);
    r->pending -= XH_WIRE_HEADER + size;
    memmove(r->frame, r->frame + XH_WIRE_HEADER + size, r->pending);
  }
}

static void listen_to_host(xh_runner *r) {
  ssize_t got =
    read(r->reporter->connection, r->frame + r->pending, sizeof r->frame - r->pending);
  if (got <= 0) {
    close(r->reporter->connection);
    r->reporter->connection = -1; /* the console is left */
    if (r->lone && !r->ended && kill(-r->current, SIGKILL) != 0)
      kill(r->current, SIGKILL);
    return;
  }
  r->pending += (size_t)got;
  obey(r);
}

static bool forward(xh_runner *r, int stream) {
  char bytes[XH_WIRE_MAX];
  ssize_t got = read(r->output[stream], bytes, sizeof bytes);
  if (got > 0) {
    char type = stream == 0 ? XH_WIRE_STDOUT : XH_WIRE_STDERR;
    xh_report_output(r->reporter, type, bytes, (size_t)got);
    return true;
  }
  close(r->output[stream]);
  r->output[stream] = -1;
  return false;
}

static void reap(xh_runner *r) {
  struct signalfd_siginfo info;
  int status;
  /* Ctrl-Alt-Del: the host's other way to stop us, where the connection is dead. */
  while (read(r->signals, &info, sizeof info) > 0)
    if (info.ssi_signo == SIGINT && !r->told && !r->lone)
      send_signal(r, SIGTERM, true);
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    if (pid == r->current) {
      r->ended = true;
      r->status = status;
    }
}

static void supervise(xh_runner *r) {
  long long cut_at = 0;
  long long quiet_at = 0;
  while (!r->ended || r->output[0] >= 0 || r->output[1] >= 0) {
    struct pollfd fds[COUNT] = {
      [SIGNALS] = {.fd = r->signals, .events = POLLIN},
      [HOST] = {.fd = r->reporter->connection, .events = POLLIN},
      [OUT] = {.fd = r->output[0], .events = POLLIN},
      [ERR] = {.fd = r->output[1], .events = POLLIN},
    };
    long long now = now_ms();
    if (r->ended && cut_at == 0) {
      cut_at = now + CUT_MS;
      quiet_at = now + QUIET_MS;
    }
    long long until = quiet_at < cut_at ? quiet_at : cut_at;
    if (r->ended && now >= until)
      break;
    if (poll(fds, COUNT, r->ended ? (int)(until - now) : -1) < 0)
      continue;
    if (fds[SIGNALS].revents != 0)
      reap(r);
    if (fds[HOST].revents != 0)
      listen_to_host(r);
    for (int i = 0; i < 2; i++)
      if (fds[OUT + i].revents != 0 && forward(r, i) && r->ended)
        quiet_at = now_ms() + QUIET_MS;
  }
  for (int i = 0; i < 2; i++)
    if (r->output[i] >= 0)
      close(r->output[i]);
  r->output[0] = r->output[1] = -1;
}

/* The child's word about execve: its end is the good one. */
static xh_ending hear(xh_runner *r, int status) {
  xh_failed failed;
  ssize_t got = read(status, &failed, sizeof failed);
  close(status);
  if (got == (ssize_t)sizeof failed)
    return (xh_ending){.error = failed.error, .step = xh_become_step(failed.step)};
  if (!r->started)
    xh_report(r->reporter, "START pid=%d", (int)r->current);
  r->started = true;
  return (xh_ending){0};
}

xh_ending xh_run(xh_runner *r, const char *script) {
  int status[2];
  int pipes[2][2] = {{-1, -1}, {-1, -1}};
  bool piped = r->reporter->connection >= 0;
  if (pipe2(status, O_CLOEXEC) != 0 ||
      (piped && (pipe2(pipes[0], O_CLOEXEC) != 0 || pipe2(pipes[1], O_CLOEXEC) != 0)))
    return (xh_ending){.error = errno, .step = "fork"};
  r->ended = false;
  r->current = fork();
  if (r->current == 0)
    xh_become(r->job, script, (int[]){pipes[0][1], pipes[1][1]}, status[1]);
  int err = errno;
  close(status[1]);
  for (int i = 0; i < 2; i++) {
    if (pipes[i][1] >= 0)
      close(pipes[i][1]);
    r->output[i] = pipes[i][0];
  }
  if (r->current < 0)
    return (xh_ending){.error = err, .step = "fork"};
  xh_ending ending = hear(r, status[0]);
  if (r->wanted != 0)
    send_signal(r, r->wanted, true);
  r->wanted = 0;
  supervise(r);
  ending.status = r->status;
  r->current = 0;
  return ending;
}

void xh_run_report(xh_reporter *reporter, const xh_ending *ending, bool oom,
                   const char *script) {
  char by[160] = "";
  if (script != NULL) {
    strcpy(by, " script=");
    strncat(by, script, sizeof by - 10);
  }
  if (ending->error != 0)
    xh_report(reporter, "END kind=failed error=%d step=%s%s", ending->error,
              ending->step, by);
  else if (WIFSIGNALED(ending->status))
    xh_report(reporter, "END kind=%s signal=%d%s", oom ? "oom" : "signal",
              WTERMSIG(ending->status), by);
  else
    xh_report(reporter, "END kind=exit code=%d%s%s", WEXITSTATUS(ending->status),
              oom ? " oom=1" : "", by);
}
