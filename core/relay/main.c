/* main.c - exhost-relay: the shim's child for a workload in a virtual machine. It
 * starts the monitor, hears the guest's init, and ends as the workload ended, so that
 * the shim needs to know nothing of machines.
 *
 *   exhost-relay SOCKET MONITOR ARGUMENTS...      SOCKET "-": nobody reports
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
#include <sys/socket.h>
#include <sys/un.h>
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

enum { SIGNALS, LISTENER, CONNECTION, CONTROL, SERIAL, COUNT };

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

static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path)
    return -ENAMETOOLONG;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(fd, 1) != 0)
    return -errno;
  return fd;
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
  r->listener = r->token != NULL ? listen_at(r->socket) : -1;
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

/* The workload is to be stopped. Where no guest hears it the monitor itself is. */
static void stop(xh_relay *r, int sig) {
  char text[16];
  int size = snprintf(text, sizeof text, "%d", sig);
  if (r->connection >= 0 && r->greeted) {
    /* In this order the signal is the first thing that it sees. */
    xh_wire_send(r->connection, XH_WIRE_STOP, text, (size_t)size);
    xh_relay_resume();
  } else if (!r->vmm_ended && r->token == NULL && sig != SIGKILL && !r->asked) {
    /* A guest that does not care has the whole grace, as any other workload. */
    r->asked = true;
    xh_relay_resume();
    if (!xh_relay_press_keys())
      kill(r->vmm, SIGTERM);
  } else if (!r->vmm_ended) {
    kill(r->vmm, sig == SIGKILL ? SIGKILL : SIGTERM);
  }
}

static void take_signals(xh_relay *r) {
  struct signalfd_siginfo info;
  while (read(r->signals, &info, sizeof info) == (ssize_t)sizeof info) {
    int sig = (int)info.ssi_signo;
    if (sig == SIGCHLD) {
      if (!r->vmm_ended && waitpid(r->vmm, &r->vmm_status, WNOHANG) == r->vmm)
        r->vmm_ended = true;
    } else if (sig != SIGCONT && sig != SIGPIPE) {
      stop(r, sig);
    }
  }
}

/* Lines "signal N": for the main process of the workload alone. */
static void take_control(xh_relay *r) {
  char text[512];
  ssize_t got = read(r->control, text, sizeof text - 1);
  text[got > 0 ? got : 0] = '\0';
  for (char *rest, *line = strtok_r(text, "\n", &rest); line != NULL;
       line = strtok_r(NULL, "\n", &rest)) {
    const char *number = strncmp(line, "signal ", 7) == 0 ? line + 7 : "";
    if (*number != '\0' && r->connection >= 0)
      xh_wire_send(r->connection, XH_WIRE_SIGNAL, number, strlen(number));
  }
}

/* Only the first connection, which is there before any workload is. */
static void accept_guest(xh_relay *r) {
  r->connection = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
  if (r->connection < 0)
    return;
  unlink(r->socket);
  close(r->listener);
  r->listener = -1;
}

static void take_frame(xh_relay *r, size_t size) {
  const char *data = (const char *)r->frame + XH_WIRE_HEADER;
  if (r->frame[0] == XH_WIRE_RECORD)
    xh_relay_record(r, data, size, false);
  else if (r->frame[0] == XH_WIRE_STDOUT && r->greeted)
    xh_wire_write(STDOUT_FILENO, data, size);
  else if (r->frame[0] == XH_WIRE_STDERR && r->greeted)
    xh_wire_write(STDERR_FILENO, data, size);
}

static void hang_up(xh_relay *r) {
  close(r->connection);
  r->connection = -1;
}

static void hear_guest(xh_relay *r) {
  size_t wanted = XH_WIRE_HEADER;
  if (r->frame_used >= XH_WIRE_HEADER)
    wanted += xh_wire_size(r->frame);
  if (wanted > sizeof r->frame) {
    hang_up(r); /* not what our init says */
    return;
  }
  if (r->frame_used < wanted) {
    ssize_t got = recv(r->connection, r->frame + r->frame_used, wanted - r->frame_used,
                       MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
      hang_up(r);
    if (got <= 0)
      return;
    r->frame_used += (size_t)got;
  }
  if (r->frame_used < XH_WIRE_HEADER ||
      r->frame_used < XH_WIRE_HEADER + xh_wire_size(r->frame))
    return;
  take_frame(r, r->frame_used - XH_WIRE_HEADER);
  r->frame_used = 0;
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
  if (next == 0)
    return -1;
  int64_t left = next - xh_relay_now();
  return left > 0 ? (int)left : 0;
}

static void tick(xh_relay *r) {
  int64_t now = xh_relay_now();
  if (!r->started && r->failed == 0 && now >= r->give_up_start)
    xh_relay_start(r, 0, NULL);
  if (r->kill_at != 0 && now >= r->kill_at && !r->vmm_ended)
    kill(r->vmm, SIGKILL); /* it has said its end, and a guest may never leave */
}

static void dispatch(xh_relay *r, const struct pollfd *fds) {
  if (fds[CONNECTION].revents != 0)
    hear_guest(r);
  if (fds[SERIAL].revents != 0)
    read_serial(r);
  if (fds[LISTENER].revents != 0)
    accept_guest(r);
  if (fds[CONTROL].revents != 0)
    take_control(r);
  if (fds[SIGNALS].revents != 0)
    take_signals(r);
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

/* key=value lines, for the host: how the workload ended, and how its machine did. */
static void write_report(const xh_relay *r) {
  char text[1024];
  int used = snprintf(text, sizeof text, "format=1\nby=%s\n",
                      !r->greeted    ? "nobody"
                      : r->by_serial ? "serial"
                                     : "socket");
  if (WIFSIGNALED(r->vmm_status))
    used += snprintf(text + used, sizeof text - (size_t)used, "vmm_signal=%d\n",
                     WTERMSIG(r->vmm_status));
  else
    used += snprintf(text + used, sizeof text - (size_t)used, "vmm_code=%d\n",
                     WEXITSTATUS(r->vmm_status));
  if (r->said_end)
    used += snprintf(text + used, sizeof text - (size_t)used, "%s\n", r->word.end);
  for (int i = 0; i < used; i++)
    if (text[i] == ' ')
      text[i] = '\n';
  int fd = open(XH_RELAY_REPORT ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || !xh_wire_write(fd, text, (size_t)used))
    return;
  close(fd);
  rename(XH_RELAY_REPORT ".new", XH_RELAY_REPORT);
}

/* End as the workload did. */
static int leave(const xh_relay *r) {
  sigset_t set;
  if (r->word.signal > 0) {
    signal(r->word.signal, SIG_DFL);
    sigfillset(&set);
    sigdelset(&set, r->word.signal);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* no core of ours */
    kill(getpid(), r->word.signal);
    sigprocmask(SIG_SETMASK, &set, NULL);
    return 128 + r->word.signal; /* one that ends nobody by default */
  }
  return r->said_end && r->word.code >= 0 ? r->word.code : 1;
}

int main(int argc, char **argv) {
  static xh_relay relay = {.connection = -1, .serial = -1, .word = {.code = -1}};
  if (argc < 3)
    return 2;
  relay.socket = argv[1];
  relay.argv = argv + 2;
  const char *token = getenv("EXHOST_TOKEN");
  if (strcmp(argv[1], "-") != 0 && token != NULL)
    relay.token = strdup(token);
  unsetenv("EXHOST_TOKEN");
  open_all(&relay);
  if (relay.token != NULL && relay.listener < 0) {
    xh_relay_start(&relay, -relay.listener, "listen");
    return 1;
  }
  int err = start_vmm(&relay);
  if (err < 0) {
    xh_relay_start(&relay, -err, "fork");
    return 1;
  }
  relay.give_up_start =
    relay.token != NULL ? xh_relay_now() + START_MS : xh_relay_now();
  run(&relay);
  xh_relay_start(&relay, 0, NULL);
  write_report(&relay);
  return leave(&relay);
}
