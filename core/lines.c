/* lines.c - what comes in on a pipe or socket, line by line. */
#include "lines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buffer.h"

enum { CHUNK = 16384, IDLE_KEEP = 65536, MOST_FDS = 16 };

struct xh_lines {
  uv_poll_t poll;
  int fd;
  bool is_socket, ended, closed;
  int fds[MOST_FDS];
  size_t fd_count;
  size_t limit;
  size_t searched; /* bytes that hold no newline */
  xh_buffer in;
  xh_lines_fn on_line;
  void *user;
};

static void on_closed(uv_handle_t *handle) {
  xh_lines *l = handle->data;
  close(l->fd);
  for (size_t i = 0; i < l->fd_count; i++)
    close(l->fds[i]);
  xh_buffer_free(&l->in);
  free(l);
}

static void finish(xh_lines *l, int error) {
  if (l->ended)
    return;
  l->ended = true;
  uv_poll_stop(&l->poll);
  l->on_line(l, NULL, 0, error, l->user);
}

/* Each byte is looked at once, and what is left is moved once a read. */
static void take_lines(xh_lines *l) {
  size_t from = 0;
  while (!l->ended) {
    char *start = l->in.data + from;
    size_t skip = l->searched > from ? l->searched - from : 0;
    char *end = memchr(start + skip, '\n', l->in.len - from - skip);
    if (end == NULL)
      break;
    size_t len = (size_t)(end - start);
    from += len + 1;
    l->searched = from;
    l->on_line(l, start, len, 0, l->user);
  }
  if (l->closed)
    return;
  xh_buffer_consume(&l->in, from);
  l->searched = l->in.len;
  if (l->in.len > l->limit)
    finish(l, UV_EMSGSIZE);
  else if (l->in.len == 0 && l->in.cap > IDLE_KEEP)
    xh_buffer_free(&l->in); /* one long line must not stay for ever */
}

static void keep_fds(xh_lines *l, struct msghdr *message) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL;
       c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      if (l->fd_count < MOST_FDS)
        l->fds[l->fd_count++] = fd;
      else
        close(fd);
    }
  }
}

static ssize_t read_some(xh_lines *l, char *into) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(MOST_FDS * sizeof(int))];
  } control;
  struct iovec piece = {into, CHUNK};
  struct msghdr message = {.msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  if (!l->is_socket)
    return read(l->fd, into, CHUNK);
  ssize_t n = recvmsg(l->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (n > 0)
    keep_fds(l, &message);
  return n;
}

/* Returns whether there may be more. */
static bool take(xh_lines *l) {
  int err = xh_buffer_reserve(&l->in, CHUNK);
  if (err < 0) {
    finish(l, err);
    return false;
  }
  ssize_t n = read_some(l, l->in.data + l->in.len);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return errno == EINTR;
  if (n <= 0) {
    finish(l, n < 0 ? -errno : 0);
    return false;
  }
  l->in.len += (size_t)n;
  take_lines(l);
  return !l->ended;
}

/* A peer that hangs up without having read all we sent is an error to poll, and libuv
 * tells no more of it; what it said before is still there. */
static void on_readable(uv_poll_t *poll, int error, int events) {
  xh_lines *l = poll->data;
  (void)events;
  while (take(l) && error < 0)
    continue;
  if (error < 0)
    finish(l, error);
}

int xh_lines_open(xh_lines **out, uv_loop_t *loop, int fd, size_t limit,
                  xh_lines_fn on_line, void *user) {
  xh_lines *l = calloc(1, sizeof *l);
  if (l == NULL)
    return UV_ENOMEM;
  int err = uv_poll_init(loop, &l->poll, fd);
  if (err < 0) {
    free(l);
    return err;
  }
  l->fd = fd;
  l->limit = limit;
  l->on_line = on_line;
  l->user = user;
  l->poll.data = l;
  int type;
  socklen_t size = sizeof type;
  l->is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
  uv_poll_start(&l->poll, UV_READABLE, on_readable);
  *out = l;
  return 0;
}

int xh_lines_take_fd(xh_lines *l) {
  if (l->fd_count == 0)
    return -1;
  int fd = l->fds[0];
  l->fd_count--;
  memmove(l->fds, l->fds + 1, l->fd_count * sizeof *l->fds);
  return fd;
}

void xh_lines_close(xh_lines *l) {
  if (l == NULL || l->closed)
    return;
  l->closed = l->ended = true;
  uv_close((uv_handle_t *)&l->poll, on_closed);
}
