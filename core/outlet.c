/* outlet.c - lines to somebody who may be slow: queued up to a limit, never waited for.
 */
#include "outlet.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buffer.h"

struct xh_outlet {
  uv_poll_t poll;
  int fd;
  bool is_socket; /* may be written to without a signal */
  bool refused, gone, closed;
  size_t limit;
  xh_buffer queue;
  xh_outlet_fn on_event;
  void *user;
};

static void on_closed(uv_handle_t *handle) {
  xh_outlet *o = handle->data;
  close(o->fd);
  xh_buffer_free(&o->queue);
  free(o);
}

static void on_poll(uv_poll_t *poll, int error, int events);

/* Without something to write only the reader's going away is waited for. */
static void wait_for_room(xh_outlet *o) {
  int events = o->queue.len > 0 ? UV_WRITABLE : 0;
  uv_poll_start(&o->poll, events | UV_DISCONNECT, on_poll);
}

static void lose(xh_outlet *o) {
  o->gone = true;
  xh_buffer_free(&o->queue);
  uv_poll_stop(&o->poll);
}

/* Returns 0, or a negative error when nobody reads any more. */
static int push(xh_outlet *o) {
  size_t done = 0;
  int err = 0;
  while (done < o->queue.len && err == 0) {
    const char *from = o->queue.data + done;
    size_t len = o->queue.len - done;
    ssize_t n =
      o->is_socket ? send(o->fd, from, len, MSG_NOSIGNAL) : write(o->fd, from, len);
    if (n > 0)
      done += (size_t)n;
    else if (n < 0 && errno != EINTR)
      err = -errno;
  }
  xh_buffer_consume(&o->queue, done);
  return err == UV_EAGAIN ? 0 : err;
}

static void on_poll(uv_poll_t *poll, int error, int events) {
  xh_outlet *o = poll->data;
  if (error < 0 || ((events & UV_DISCONNECT) && o->queue.len == 0) || push(o) < 0) {
    lose(o);
    o->on_event(o, XH_OUTLET_GONE, o->user);
    return;
  }
  wait_for_room(o);
  if (o->queue.len > 0 || !o->refused)
    return;
  o->refused = false;
  o->on_event(o, XH_OUTLET_EMPTY, o->user);
}

int xh_outlet_open(xh_outlet **out, uv_loop_t *loop, int fd, size_t limit,
                   xh_outlet_fn on_event, void *user) {
  int type;
  socklen_t size = sizeof type;
  xh_outlet *o = calloc(1, sizeof *o);
  if (o == NULL)
    return UV_ENOMEM;
  int err = uv_poll_init(loop, &o->poll, fd);
  if (err < 0) {
    free(o);
    return err;
  }
  o->fd = fd;
  o->is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
  o->limit = limit;
  o->on_event = on_event;
  o->user = user;
  o->poll.data = o;
  wait_for_room(o);
  *out = o;
  return 0;
}

int xh_outlet_put(xh_outlet *o, const void *data, size_t len) {
  if (o->gone)
    return UV_EPIPE;
  bool idle = o->queue.len == 0;
  if (!idle && o->queue.len + len > o->limit) {
    o->refused = true;
    return UV_ENOBUFS;
  }
  int err = xh_buffer_append(&o->queue, data, len);
  if (err < 0)
    return err;
  /* What the kernel takes at once needs no turn of the loop. */
  if (idle && push(o) < 0)
    return UV_EPIPE; /* the poll tells of it */
  wait_for_room(o);
  return 0;
}

void xh_outlet_close(xh_outlet *o) {
  if (o == NULL || o->closed)
    return;
  o->closed = true;
  uv_close((uv_handle_t *)&o->poll, on_closed);
}
