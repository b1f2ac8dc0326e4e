/* watch.h - told when something changes in a folder (inotify).
 *
 * One inotify descriptor a loop, however many watches; several watches of one
 * folder share the kernel's. */
#ifndef XH_WATCH_H
#define XH_WATCH_H

#include "loop.h"

typedef struct xh_watch xh_watch;

enum {
  XH_WATCH_APPEARED = 1, /* name was made, linked or renamed into the folder */
  XH_WATCH_MODIFIED = 2, /* the file name was written to */
  XH_WATCH_GONE = 4,     /* the folder was moved, or removed and nobody holds it open */
  XH_WATCH_LOST = 8,     /* the kernel's queue overflowed: look at everything again */
};

/* Called on the loop thread; name is "" for GONE and LOST, and borrowed. After
 * GONE the watch tells nothing more of use. It may be closed from inside. */
typedef void (*xh_watch_fn)(xh_watch *w, int what, const char *name, void *user);

/* Watch the folder behind descriptor dir (borrowed) for the kinds in `what`. Returns
 * 0 and sets *out, which the caller owns and must close; or a negative error
 * (UV_ENOSPC: the limit fs.inotify.max_user_watches). */
int xh_watch_open(xh_watch **out, xh_loop *loop, int dir, int what,
                  xh_watch_fn on_change, void *user);

/* No callback any more; frees w. Safe on NULL. */
void xh_watch_close(xh_watch *w);

/* Used by xh_loop_close() only. */
void xh_watcher_close(xh_loop *loop);

#endif
