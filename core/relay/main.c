/* main.c - exhost-relay: the shim's child for a workload in a virtual machine. It
 * starts the monitor, hears the guest's init, and ends as the workload ended, so that
 * the shim needs to know nothing of machines.
 *
 *   exhost-relay [--jail FOLDER UID GID] [--disk PATH | --disk-shared PATH]
 *                SOCKET MONITOR ARGUMENTS...
 *
 * SOCKET "-": nobody reports. With --jail SOCKET and the monitor's own files are in
 * FOLDER, which comes to belong to UID. --disk: one that the guest writes.
 *
 * The working folder is the machine's; EXHOST_TOKEN is what the guest proves itself
 * with. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../shim/child.h"
#include "relay.h"

/* A guest that says nothing for so long is taken to run: hosts wait for an answer. */
#define START_MS 8000
/* Output of a monitor that has ended may be held by others. */
#define DRAIN_MS 1000

/* A monitor drops what does not fit into the pipe of its console. */
#define SERIAL_PIPE (1 << 20)

enum { SIGNALS, LISTENER, CONNECTION, CONTROL, SERIAL, STRANGERS };

#define EXECS (STRANGERS + XH_RELAY_STRANGERS)
#define COUNT (EXECS + XH_RELAY_EXECS_POLL)

void xh_relay_start(xh_relay *r, int error, const char *step) {
  static const char *const STEPS[] = XH_REPORTED_STEPS;
  if (r->started || r->failed != 0)
    return;
  if (error == 0) {
    r->started = true;
  } else {
    xh_report report = {XH_STEP_REPORTED, error};
    for (int i = 0; STEPS[i] != NULL; i++)
      if (strcmp(STEPS[i], step) == 0)
        report.step = XH_STEP_REPORTED + i;
    r->failed = error;
    (void)!write(XH_FD_STATUS, &report, sizeof report);
  }
  close(XH_FD_STATUS);
}

static void open_all(xh_relay *r) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  r->signals = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
  fcntl(XH_FD_STATUS, F_SETFD, FD_CLOEXEC);
  int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  r->console = open(XH_RELAY_CONSOLE, flags, 0600);
  r->errors = open(XH_RELAY_ERRORS, flags, 0600);
  r->control = open(XH_RELAY_CONTROL, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  r->listener = r->token != NULL ? xh_jail_listen(&r->jail, r->socket) : -1;
}

static int start_vmm(xh_relay *r) {
  int out[2];
  pid_t self = getpid();
  if (pipe2(out, O_CLOEXEC) != 0)
    return -errno;
  r->vmm = fork();
  if (r->vmm == 0) {
    sigset_t none;
    sigemptyset(&none);
    /* A session of its own: a stop of our process group is for the guest. */
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != self)
      _exit(127);
    dup2(out[1], STDOUT_FILENO);
    dup2(r->errors, STDERR_FILENO);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(r->argv[0], r->argv);
    fprintf(stderr, "%s: %s\n", r->argv[0], strerror(errno));
    _exit(126);
  }
  int err = r->vmm < 0 ? -errno : 0;
  close(out[1]);
  r->serial = out[0];
  fcntl(r->serial, F_SETPIPE_SZ, SERIAL_PIPE);
  return err;
}

static void read_serial(xh_relay *r) {
  char bytes[XH_WIRE_MAX];
  ssize_t got = read(r->serial, bytes, sizeof bytes);
  if (got > 0) {
    xh_relay_console(r, bytes, (size_t)got);
    return;
  }
  xh_relay_console_end(r);
  close(r->serial);
  r->serial = -1;
}

static int next_timeout(const xh_relay *r, int64_t drained_at) {
  int64_t next = drained_at;
  if (!r->started && r->failed == 0 && r->give_up_start != 0)
    next = next == 0 || r->give_up_start < next ? r->give_up_start : next;
  if (r->kill_at != 0 && !r->vmm_ended)
    next = next == 0 || r->kill_at < next ? r->kill_at : next;
  if (r->keys_at != 0)
    next = next == 0 || r->keys_at < next ? r->keys_at : next;
  if (next == 0)
    return -1;
  int64_t left = next - xh_relay_now();
  return left > 0 ? (int)left : 0;
}

static void tick(xh_relay *r) {
  int64_t now = xh_relay_now();
  if (!r->started && r->failed == 0 && now >= r->give_up_start)
    xh_relay_start(r, 0, NULL);
  if (r->keys_at != 0 && now >= r->keys_at) {
    r->keys_at = 0;
    if (!r->said_end && !r->vmm_ended)
      xh_relay_press_keys(r);
  }
  if (r->kill_at != 0 && now >= r->kill_at && !r->vmm_ended)
    kill(r->vmm, SIGKILL); /* it has said its end, and a guest may never leave */
}

static void dispatch(xh_relay *r, const struct pollfd *fds) {
  if (fds[CONNECTION].revents != 0)
    xh_relay_hear(r);
  if (fds[SERIAL].revents != 0)
    read_serial(r);
  if (fds[LISTENER].revents != 0)
    xh_relay_accept(r);
  if (fds[CONTROL].revents != 0)
    xh_relay_take_control(r);
  if (fds[SIGNALS].revents != 0)
    xh_relay_take_signals(r);
  xh_relay_execs_dispatch(r, fds + EXECS);
  xh_relay_strangers_dispatch(r, fds + STRANGERS);
}

static void run(xh_relay *r) {
  int64_t drained_at = 0;
  for (;;) {
    struct pollfd fds[COUNT] = {
      [SIGNALS] = {.fd = r->signals, .events = POLLIN},
      [LISTENER] = {.fd = r->listener, .events = POLLIN},
      [CONNECTION] = {.fd = r->connection, .events = POLLIN},
      [CONTROL] = {.fd = r->control, .events = POLLIN},
      [SERIAL] = {.fd = r->serial, .events = POLLIN},
    };
    xh_relay_execs_watch(r, fds + EXECS);
    xh_relay_strangers_watch(r, fds + STRANGERS);
    if (r->vmm_ended && drained_at == 0)
      drained_at = xh_relay_now() + DRAIN_MS;
    if (r->vmm_ended &&
        ((r->serial < 0 && r->connection < 0) || xh_relay_now() >= drained_at))
      return;
    if (poll(fds, COUNT, next_timeout(r, drained_at)) > 0)
      dispatch(r, fds);
    tick(r);
  }
}

int main(int argc, char **argv) {
  static xh_relay relay = {.connection = -1, .serial = -1, .word = {.code = -1}};
  int words = argc > 1 ? xh_jail_take(&relay.jail, argv + 1) : 0;
  if (words < 0) {
    xh_relay_start(&relay, -words, "listen");
    return 1;
  }
  argc -= words;
  argv += words;
  words = argc > 1 ? xh_disk_take(argv + 1) : 0;
  if (words < 0) {
    xh_relay_start(&relay, -words, "disk");
    return 1;
  }
  argc -= words;
  argv += words;
  if (argc < 3)
    return 2;
  relay.socket = argv[1];
  relay.argv = argv + 2;
  const char *token = getenv("EXHOST_TOKEN");
  if (strcmp(argv[1], "-") != 0 && token != NULL)
    relay.token = strdup(token);
  unsetenv("EXHOST_TOKEN");
  xh_relay_execs_open(&relay);
  xh_relay_strangers_open(&relay);
  open_all(&relay);
  if (relay.token != NULL && relay.listener < 0) {
    xh_relay_start(&relay, -relay.listener, "listen");
    return 1;
  }
  int err = start_vmm(&relay);
  if (err == 0 && relay.jail.on && (err = xh_jail_guard(&relay.jail, relay.vmm)) < 0)
    kill(relay.vmm, SIGKILL);
  if (err < 0) {
    xh_relay_start(&relay, -err, "fork");
    return 1;
  }
  relay.give_up_start =
    relay.token != NULL ? xh_relay_now() + START_MS : xh_relay_now();
  run(&relay);
  xh_relay_start(&relay, 0, NULL);
  return xh_relay_leave(&relay);
}
