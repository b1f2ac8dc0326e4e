/* outlet.c - lines to somebody who may be slow: queued up to a limit, never waited for.
 */
#include "outlet.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buffer.h"

enum { MOST_FDS = 64 };

/* A descriptor that waits to be passed, and where in the stream. */
typedef struct passenger {
  uint64_t at;
  int fd;
} passenger;

struct xh_outlet {
  uv_poll_t poll;
  int fd;
  bool is_socket; /* may be written to without a signal */
  bool refused, gone, closed;
  int awaited; /* events that poll waits for */
  size_t limit;
  xh_buffer queue;
  uint64_t sent; /* bytes, in all */
  passenger fds[MOST_FDS];
  size_t fd_count;
  xh_outlet_fn on_event;
  void *user;
};

static void drop_fds(xh_outlet *o) {
  for (size_t i = 0; i < o->fd_count; i++)
    close(o->fds[i].fd);
  o->fd_count = 0;
}

static void on_closed(uv_handle_t *handle) {
  xh_outlet *o = handle->data;
  close(o->fd);
  drop_fds(o);
  xh_buffer_free(&o->queue);
  free(o);
}

static void on_poll(uv_poll_t *poll, int error, int events);

/* Without something to write only the reader's going away is waited for. */
static void wait_for_room(xh_outlet *o) {
  int events = UV_DISCONNECT | (o->queue.len > 0 ? UV_WRITABLE : 0);
  if (events == o->awaited)
    return; /* asking again would cost two calls to the kernel */
  o->awaited = events;
  uv_poll_start(&o->poll, events, on_poll);
}

static void lose(xh_outlet *o) {
  o->gone = true;
  drop_fds(o);
  xh_buffer_free(&o->queue);
  uv_poll_stop(&o->poll);
}

/* One send, up to the next descriptor; with it, if it is its turn. */
static ssize_t send_some(xh_outlet *o, const char *from, size_t len, uint64_t at) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {.bytes = {0}};
  struct iovec piece = {(char *)from, len};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  bool passes = o->fd_count > 0 && o->fds[0].at == at;
  size_t next = passes ? 1 : 0;
  if (o->fd_count > next && o->fds[next].at - at < len)
    piece.iov_len = (size_t)(o->fds[next].at - at);
  if (passes) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &o->fds[0].fd, sizeof(int));
  }
  ssize_t n = sendmsg(o->fd, &message, MSG_NOSIGNAL);
  if (n > 0 && passes) {
    close(o->fds[0].fd);
    o->fd_count--;
    memmove(o->fds, o->fds + 1, o->fd_count * sizeof *o->fds);
  }
  return n;
}

/* Returns 0, or a negative error when nobody reads any more. */
static int push(xh_outlet *o) {
  size_t done = 0;
  int err = 0;
  while (done < o->queue.len && err == 0) {
    const char *from = o->queue.data + done;
    size_t len = o->queue.len - done;
    ssize_t n =
      o->is_socket ? send_some(o, from, len, o->sent + done) : write(o->fd, from, len);
    if (n > 0)
      done += (size_t)n;
    else if (n < 0 && errno != EINTR)
      err = -errno;
  }
  xh_buffer_consume(&o->queue, done);
  o->sent += done;
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

int xh_outlet_put(xh_outlet *o, const void *data, size_t len, int fd) {
  if (o->gone)
    return UV_EPIPE;
  if (fd >= 0 && (!o->is_socket || len == 0))
    return UV_EINVAL;
  bool idle = o->queue.len == 0;
  bool full = fd >= 0 && o->fd_count == MOST_FDS;
  if (full || (!idle && o->queue.len + len > o->limit)) {
    o->refused = true;
    return UV_ENOBUFS;
  }
  uint64_t at = o->sent + o->queue.len;
  int err = xh_buffer_append(&o->queue, data, len);
  if (err < 0)
    return err;
  if (fd >= 0)
    o->fds[o->fd_count++] = (passenger){at, fd};
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
