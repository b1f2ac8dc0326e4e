/* outlet.h - lines to somebody who may be slow: queued up to a limit, never waited for.
 */
#ifndef XH_OUTLET_H
#define XH_OUTLET_H

#include <stddef.h>

#include <uv.h>

typedef struct xh_outlet xh_outlet;

typedef enum xh_outlet_event {
  XH_OUTLET_EMPTY, /* all was written, after something had been refused */
  XH_OUTLET_GONE,  /* nobody reads any more; everything is refused from now on */
} xh_outlet_event;

/* Called on the loop thread, never from xh_outlet_put(). The outlet may be closed
 * from inside. */
typedef void (*xh_outlet_fn)(xh_outlet *o, xh_outlet_event event, void *user);

/* Write to fd, a pipe or socket, which is made non-blocking and taken over on success.
 * At most `limit` bytes are queued beside what the kernel takes. Returns 0 or a
 * negative uv error. */
int xh_outlet_open(xh_outlet **out, uv_loop_t *loop, int fd, size_t limit,
                   xh_outlet_fn on_event, void *user);

/* Queue all of data or nothing. UV_ENOBUFS: it does not fit; UV_EPIPE: nobody reads.
 * With fd >= 0, a socket passes a copy of it along with the first byte; it is taken
 * over on success. */
int xh_outlet_put(xh_outlet *o, const void *data, size_t len, int fd);

/* Drops what is queued, closes fd, frees o in time. Safe on NULL. */
void xh_outlet_close(xh_outlet *o);

#endif
