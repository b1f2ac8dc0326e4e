/* channel.c - the host's end of a shim's line protocol. */
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct xh_channel {
  uv_poll_t poll;
  int fd;
  bool closed, ended;
  size_t len;
  char line[XH_CHANNEL_LINE];
  xh_line_fn on_line;
  void *user;
};

static void on_closed(uv_handle_t *handle) {
  xh_channel *c = handle->data;
  close(c->fd);
  free(c);
}

static void finish(xh_channel *c) {
  if (c->closed || c->ended)
    return;
  c->ended = true;
  uv_poll_stop(&c->poll);
  c->on_line(c, NULL, c->user);
}

static void take_lines(xh_channel *c) {
  char *end;
  while (!c->closed && (end = memchr(c->line, '\n', c->len)) != NULL) {
    char line[XH_CHANNEL_LINE];
    size_t n = (size_t)(end - c->line);
    memcpy(line, c->line, n);
    line[n] = '\0';
    c->len -= n + 1;
    memmove(c->line, end + 1, c->len);
    if (strlen(line) == n)
      c->on_line(c, line, c->user);
    else
      finish(c);
  }
}

/* Returns whether there may be more. */
static bool take(xh_channel *c) {
  ssize_t n = recv(c->fd, c->line + c->len, sizeof c->line - c->len, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return errno == EINTR;
  if (n <= 0) {
    finish(c);
    return false;
  }
  c->len += (size_t)n;
  take_lines(c);
  if (!c->closed && c->len == sizeof c->line)
    finish(c); /* nothing we speak with says so much in one line */
  return !c->closed;
}

/* A peer that ends without having read all we sent is an error to poll, and libuv tells
 * no more of it; what it said before is still there. */
static void on_readable(uv_poll_t *poll, int error, int events) {
  (void)events;
  xh_channel *c = poll->data;
  while (take(c) && error < 0)
    continue;
  if (error < 0)
    finish(c);
}

int xh_channel_open(xh_channel **out, int *other, uv_loop_t *loop, xh_line_fn on_line,
                    void *user) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return -errno;
  xh_channel *c = calloc(1, sizeof *c);
  int err = c == NULL ? UV_ENOMEM : uv_poll_init(loop, &c->poll, pair[0]);
  if (err < 0) {
    free(c);
    close(pair[0]);
    close(pair[1]);
    return err;
  }
  c->fd = pair[0];
  c->on_line = on_line;
  c->user = user;
  c->poll.data = c;
  uv_poll_start(&c->poll, UV_READABLE, on_readable);
  *out = c;
  *other = pair[1];
  return 0;
}

int xh_channel_send(xh_channel *c, const char *line) {
  char text[XH_CHANNEL_LINE + 1];
  size_t len = strlen(line);
  if (len >= XH_CHANNEL_LINE)
    return UV_E2BIG;
  memcpy(text, line, len);
  text[len++] = '\n';
  ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
  return n == (ssize_t)len ? 0 : n < 0 ? -errno : UV_EAGAIN;
}

void xh_channel_close(xh_channel *c) {
  if (c == NULL || c->closed)
    return;
  c->closed = true;
  uv_close((uv_handle_t *)&c->poll, on_closed);
}
