/* collect.h - what comes out of a pipe: kept in memory up to a limit, or passed on.
 *
 * For the output of short calls (exec). An execution's own output never passes here:
 * that is the shim's, and logread.h's. */
#ifndef XH_COLLECT_H
#define XH_COLLECT_H

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

typedef struct xh_collect xh_collect;

/* Called once, at the end of the pipe or at the first error (a negative uv error;
 * UV_EPIPE: nobody reads the target any more). data is what was kept, valid during
 * the call; dropped counts the bytes before it that the limit left out. The collector
 * may be closed from inside. */
typedef void (*xh_collect_fn)(xh_collect *c, int error, const char *data, size_t len,
                              uint64_t dropped, void *user);

typedef struct xh_collect_options {
  int fd;       /* a pipe or socket; taken over on success */
  int target;   /* non-blocking or a plain file; taken over on success; -1: keep */
  size_t limit; /* keep the last so many bytes */
  xh_collect_fn on_end;
  void *user;
} xh_collect_options;

/* Returns 0 or a negative uv error; then both descriptors stay the caller's. */
int xh_collect_open(xh_collect **out, uv_loop_t *loop, const xh_collect_options *o);

/* Act as if the end had come: on_end is called from here, unless it was before. */
void xh_collect_finish(xh_collect *c);

/* No callback any more; closes both descriptors and frees c in time. Safe on NULL. */
void xh_collect_close(xh_collect *c);

#endif
