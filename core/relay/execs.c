/* execs.c - more processes in the guest, on behalf of hosts: core/shim/execs.h has what
 * a host does. The guest calls back for each on a connection of its own, and says the
 * nonce that its init was told. A slow reader stops that process alone. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay.h"

static void say(int fd, const char *text) {
  (void)!write(fd, text, strlen(text));
}

static void close_one(int *fd) {
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

void xh_relay_exec_drop(xh_relay_exec *e) {
  close_one(&e->connection);
  close_one(&e->words);
  close_one(&e->output[0]);
  close_one(&e->output[1]);
  close_one(&e->status); /* last: then everything has been written */
}

void xh_relay_exec_fail(xh_relay_exec *e, int error, const char *step) {
  char line[64];
  snprintf(line, sizeof line, "error %d %s\n", error, step);
  say(e->status, line);
  xh_relay_exec_drop(e);
}

void xh_relay_execs_open(xh_relay *r) {
  for (size_t i = 0; i < XH_RELAY_EXECS_MAX; i++) {
    xh_relay_exec *e = &r->execs[i];
    e->status = e->output[0] = e->output[1] = e->words = e->connection = -1;
  }
}

/* Reads never block, and a FIFO that nobody reads is an error. */
static int open_in(int dir, const char *name, int flags, mode_t kind) {
  struct stat st;
  int fd = openat(dir, name, flags | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0 && (fstat(fd, &st) != 0 || (st.st_mode & S_IFMT) != kind)) {
    close(fd);
    errno = EINVAL;
    return -1;
  }
  return fd;
}

static bool is_folder_name(const char *name) {
  return strncmp(name, "exec-", 5) == 0 && name[5] != '\0' &&
         name[5 + strspn(name + 5, "0123456789abcdef")] == '\0';
}

/* What the process needs; else the step that failed, and errno. */
static const char *prepare(xh_relay_exec *e, int dir) {
  struct stat st;
  e->words = open_in(dir, "argv", O_RDONLY, S_IFREG);
  if (e->words < 0 || fstat(e->words, &st) != 0)
    return "argv";
  e->size = (size_t)st.st_size;
  errno = e->size == 0 ? EINVAL : E2BIG;
  if (e->size == 0 || e->size > XH_WIRE_WORDS_MAX)
    return "argv";
  e->output[0] = open_in(dir, "stdout", O_WRONLY, S_IFIFO);
  e->output[1] = open_in(dir, "stderr", O_WRONLY, S_IFIFO);
  if (e->output[0] < 0 || e->output[1] < 0)
    return "output";
  e->sent = 0;
  e->used = e->given = 0;
  return xh_relay_nonce(e->nonce) ? NULL : "guest";
}

static xh_relay_exec *free_slot(xh_relay *r) {
  size_t i = 0;
  while (i < XH_RELAY_EXECS_MAX && r->execs[i].status >= 0)
    i++;
  return i < XH_RELAY_EXECS_MAX ? &r->execs[i] : NULL;
}

/* Why none can be started now, or NULL. */
static const char *refusal(const xh_relay *r) {
  if (r->token == NULL || (r->greeted && r->by_serial))
    return "error 95 unheard\n"; /* EOPNOTSUPP */
  if (!r->greeted || r->said_end || r->connection < 0)
    return "error 3 phase\n"; /* ESRCH */
  return NULL;
}

void xh_relay_execs_start(xh_relay *r, const char *folder) {
  int dir = is_folder_name(folder)
              ? open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
              : -1;
  int status = dir >= 0 ? open_in(dir, "status", O_WRONLY, S_IFIFO) : -1;
  xh_relay_exec *e = free_slot(r);
  const char *no = refusal(r);
  if (no == NULL && e == NULL)
    no = "error 11 too_many\n"; /* EAGAIN */
  if (status >= 0 && no != NULL) {
    say(status, no);
    close(status);
  } else if (status >= 0) {
    e->status = status;
    const char *step = prepare(e, dir);
    if (step != NULL)
      xh_relay_exec_fail(e, errno, step);
    else
      xh_wire_send(r->connection, XH_WIRE_EXEC, e->nonce, XH_WIRE_NONCE);
  }
  if (dir >= 0)
    close(dir);
}

static bool is_output(const xh_relay_exec *e) {
  return e->used > XH_WIRE_HEADER &&
         e->used == XH_WIRE_HEADER + xh_wire_size(e->frame) &&
         (e->frame[0] == XH_WIRE_STDOUT || e->frame[0] == XH_WIRE_STDERR);
}

static int *output_of(xh_relay_exec *e) {
  return &e->output[e->frame[0] == XH_WIRE_STDERR];
}

/* Give a frame of output to its FIFO; what does not fit waits. */
static void give(xh_relay_exec *e) {
  int *fd = output_of(e);
  size_t left = e->used - XH_WIRE_HEADER - e->given;
  ssize_t wrote = *fd >= 0 ? write(*fd, e->frame + XH_WIRE_HEADER + e->given, left) : 0;
  if (wrote > 0)
    e->given += (size_t)wrote;
  else if (*fd >= 0 && errno != EAGAIN && errno != EINTR)
    close_one(fd); /* nobody reads it */
  if (*fd < 0 || (size_t)(wrote > 0 ? wrote : 0) == left)
    e->used = e->given = 0;
}

static void take_record(xh_relay_exec *e) {
  char line[64];
  char step[16] = "guest";
  char number[16];
  e->frame[e->used] = '\0';
  char *kind = strchr((char *)e->frame + XH_WIRE_HEADER, ' ');
  e->used = 0;
  if (kind == NULL)
    return;
  if (strncmp(kind, " START ", 7) == 0 &&
      xh_relay_value(kind + 7, "pid", number, sizeof number)) {
    snprintf(line, sizeof line, "started %d\n", atoi(number));
    say(e->status, line);
  }
  if (strncmp(kind, " END ", 5) != 0)
    return;
  const char *pairs = kind + 5;
  if (xh_relay_value(pairs, "error", number, sizeof number)) {
    xh_relay_value(pairs, "step", step, sizeof step);
    snprintf(line, sizeof line, "error %d %s\n", atoi(number), step);
  } else if (xh_relay_value(pairs, "signal", number, sizeof number)) {
    snprintf(line, sizeof line, "signal %d\n", atoi(number));
  } else if (xh_relay_value(pairs, "code", number, sizeof number)) {
    snprintf(line, sizeof line, "exit %d\n", atoi(number));
  } else {
    return;
  }
  say(e->status, line);
  /* Without waiting for a guest that does not read: its init waits no longer than 2 s.
   */
  unsigned char ack[XH_WIRE_HEADER] = {XH_WIRE_ACK};
  ssize_t done = send(e->connection, ack, sizeof ack, MSG_DONTWAIT | MSG_NOSIGNAL);
  (void)done;
  xh_relay_exec_drop(e);
}

static void hear(xh_relay_exec *e) {
  size_t wanted = XH_WIRE_HEADER;
  if (e->used >= XH_WIRE_HEADER)
    wanted += xh_wire_size(e->frame);
  if (wanted >= sizeof e->frame) {
    xh_relay_exec_drop(e); /* not what our init says */
    return;
  }
  if (e->used < wanted) {
    ssize_t got =
      recv(e->connection, e->frame + e->used, wanted - e->used, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
      xh_relay_exec_drop(e);
    if (got <= 0)
      return;
    e->used += (size_t)got;
  }
  if (e->used < XH_WIRE_HEADER || e->used < XH_WIRE_HEADER + xh_wire_size(e->frame))
    return;
  if (is_output(e))
    give(e);
  else if (e->frame[0] == XH_WIRE_RECORD)
    take_record(e);
  else
    e->used = 0;
}

static void send_words(xh_relay_exec *e) {
  ssize_t sent = sendfile(e->connection, e->words, &e->sent, e->size - (size_t)e->sent);
  if (sent == 0 || (sent < 0 && errno != EAGAIN && errno != EINTR))
    xh_relay_exec_drop(e);
}

void xh_relay_execs_watch(const xh_relay *r, struct pollfd *fds) {
  for (size_t i = 0; i < XH_RELAY_EXECS_MAX; i++, fds += 3) {
    const xh_relay_exec *e = &r->execs[i];
    bool waits = is_output(e);
    short events = waits ? 0 : POLLIN;
    if (e->sent < (off_t)e->size)
      events = POLLOUT;
    fds[0] = (struct pollfd){.fd = waits ? -1 : e->connection, .events = events};
    fds[1] = (struct pollfd){
      .fd = waits ? e->output[e->frame[0] == XH_WIRE_STDERR] : -1, .events = POLLOUT};
    fds[2] = (struct pollfd){.fd = e->status}; /* POLLERR alone: the host hangs up */
  }
}

void xh_relay_execs_dispatch(xh_relay *r, const struct pollfd *fds) {
  for (size_t i = 0; i < XH_RELAY_EXECS_MAX; i++, fds += 3) {
    xh_relay_exec *e = &r->execs[i];
    if (e->status < 0 || e->status != fds[2].fd)
      continue;
    if (fds[2].revents != 0)
      xh_relay_exec_drop(
        e); /* nobody wants to know any more: the guest ends it when we hang up */
    else if (fds[1].revents != 0)
      give(e);
    else if (fds[0].revents != 0 && fds[0].fd == e->connection &&
             e->sent < (off_t)e->size)
      send_words(e);
    else if (fds[0].revents != 0 && fds[0].fd == e->connection)
      hear(e);
  }
  for (size_t i = 0; i < XH_RELAY_EXECS_MAX && r->said_end && r->connection < 0; i++)
    if (r->execs[i].status >= 0 && r->execs[i].connection < 0)
      xh_relay_exec_drop(&r->execs[i]);
}
