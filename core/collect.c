/* collect.c - what comes out of a pipe: kept in memory up to a limit, or passed on. */
#include "collect.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "buffer.h"

enum { CHUNK = 65536 };

struct xh_collect {
  uv_poll_t source;
  uv_poll_t room; /* on the target; only where has_room */
  xh_collect_options o;
  bool has_room, ended, closed;
  int open_handles;
  xh_buffer kept; /* or, with a target, what it has not taken yet */
  uint64_t dropped;
};

static void on_closed(uv_handle_t *handle) {
  xh_collect *c = handle->data;
  if (--c->open_handles > 0)
    return;
  close(c->o.fd);
  if (c->o.target >= 0)
    close(c->o.target);
  xh_buffer_free(&c->kept);
  free(c);
}

/* Twice the limit may pile up before the older half goes, so that the cost of moving
 * bytes is that of reading them. */
static void trim(xh_collect *c, size_t most) {
  if (c->kept.len <= most)
    return;
  size_t over = c->kept.len - c->o.limit;
  c->dropped += over;
  xh_buffer_consume(&c->kept, over);
}

static void finish(xh_collect *c, int error) {
  if (c->ended)
    return;
  c->ended = true;
  uv_poll_stop(&c->source);
  if (c->has_room)
    uv_poll_stop(&c->room);
  if (c->o.target < 0)
    trim(c, c->o.limit);
  size_t len = c->o.target < 0 ? c->kept.len : 0;
  c->o.on_end(c, error, c->kept.data, len, c->dropped, c->o.user);
}

static void on_room(uv_poll_t *poll, int error, int events);
static void on_source(uv_poll_t *poll, int error, int events);

/* Push what waits to the target. While it has no room nothing more is read: the
 * writer waits, as it would with the target itself. */
static void pass_on(xh_collect *c) {
  while (c->kept.len > 0) {
    ssize_t n = write(c->o.target, c->kept.data, c->kept.len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN && c->has_room) {
      uv_poll_stop(&c->source);
      uv_poll_start(&c->room, UV_WRITABLE, on_room);
      return;
    }
    if (n < 0) {
      finish(c, -errno);
      return;
    }
    xh_buffer_consume(&c->kept, (size_t)n);
  }
}

static void on_room(uv_poll_t *poll, int error, int events) {
  xh_collect *c = poll->data;
  (void)events;
  uv_poll_stop(&c->room);
  if (error < 0) {
    finish(c, error);
    return;
  }
  uv_poll_start(&c->source, UV_READABLE, on_source);
  pass_on(c);
}

static void on_source(uv_poll_t *poll, int error, int events) {
  xh_collect *c = poll->data;
  (void)events;
  if (error == 0)
    error = xh_buffer_reserve(&c->kept, CHUNK);
  if (error < 0) {
    finish(c, error);
    return;
  }
  ssize_t n = read(c->o.fd, c->kept.data + c->kept.len, CHUNK);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0) {
    finish(c, n < 0 ? -errno : 0);
    return;
  }
  c->kept.len += (size_t)n;
  if (c->o.target >= 0)
    pass_on(c);
  else
    trim(c, 2 * c->o.limit);
}

int xh_collect_open(xh_collect **out, uv_loop_t *loop, const xh_collect_options *o) {
  xh_collect *c = calloc(1, sizeof *c);
  if (c == NULL)
    return UV_ENOMEM;
  int err = uv_poll_init(loop, &c->source, o->fd);
  if (err < 0) {
    free(c);
    return err;
  }
  c->o = *o;
  c->source.data = c->room.data = c;
  c->open_handles = 1;
  if (o->target >= 0 && uv_poll_init(loop, &c->room, o->target) == 0) {
    c->has_room = true;
    c->open_handles = 2;
  }
  uv_poll_start(&c->source, UV_READABLE, on_source);
  *out = c;
  return 0;
}

void xh_collect_finish(xh_collect *c) {
  finish(c, 0);
}

void xh_collect_close(xh_collect *c) {
  if (c == NULL || c->closed)
    return;
  c->closed = c->ended = true;
  uv_close((uv_handle_t *)&c->source, on_closed);
  if (c->has_room)
    uv_close((uv_handle_t *)&c->room, on_closed);
}
