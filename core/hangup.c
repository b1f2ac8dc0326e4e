/* hangup.c - one poll on a descriptor that is never written or read. */
#include "hangup.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct xh_hangup {
  uv_poll_t poll;
  int fd;
  bool told, closed;
  xh_hangup_fn on_hangup;
  void *user;
};

static void on_closed(uv_handle_t *handle) {
  xh_hangup *h = handle->data;
  close(h->fd);
  free(h);
}

static void on_hung_up(uv_poll_t *poll, int error, int events) {
  (void)error;
  (void)events;
  xh_hangup *h = poll->data;
  uv_poll_stop(poll);
  if (h->told || h->closed)
    return;
  h->told = true;
  h->on_hangup(h, h->user);
}

int xh_hangup_open(xh_hangup **out, uv_loop_t *loop, int fd, xh_hangup_fn on_hangup,
                   void *user) {
  xh_hangup *h = calloc(1, sizeof *h);
  int err = h == NULL ? UV_ENOMEM : uv_poll_init(loop, &h->poll, fd);
  if (err < 0) {
    free(h);
    return err;
  }
  h->fd = fd;
  h->on_hangup = on_hangup;
  h->user = user;
  h->poll.data = h;
  /* POLLERR (a FIFO without reader) is always told. Write-only descriptors are never
   * readable, so UV_READABLE adds what a pidfd needs and nothing else. */
  uv_poll_start(&h->poll, UV_READABLE, on_hung_up);
  *out = h;
  return 0;
}

void xh_hangup_close(xh_hangup *h) {
  if (h == NULL || h->closed)
    return;
  h->closed = true;
  uv_close((uv_handle_t *)&h->poll, on_closed);
}
