/* loop.h - the event loop, what lives exactly as long as it, and the clocks. */
#ifndef XH_LOOP_H
#define XH_LOOP_H

#include <stdint.h>

#include <uv.h>

struct xh_watcher;

/* Something that was given up by its owner but still waits for the kernel. */
typedef struct xh_lingering {
  struct xh_lingering *next, *previous;
  void (*abandon)(struct xh_lingering *);
} xh_lingering;

typedef struct xh_loop {
  uv_loop_t uv;               /* uv.data points back here */
  xh_lingering lingering;     /* head of a ring */
  struct xh_watcher *watcher; /* watch.c: the loop's inotify descriptor, or NULL */
  uv_idle_t looking;          /* while it runs the loop does not sleep */
  uint64_t looked_ns, look_until_ns;
} xh_loop;

/* Returns 0 or a negative uv error, and then nothing needs closing. */
int xh_loop_open(xh_loop *loop);

/* End what lingers, run what has been closed to its end, close the loop. Returns 0,
 * or UV_EBUSY when somebody left a handle open: a defect, and the loop stays. */
int xh_loop_close(xh_loop *loop);

/* For the owner of a handle that has to outlive its release: abandon is called at
 * xh_loop_close() unless xh_loop_forget() was called before. */
void xh_loop_linger(uv_loop_t *loop, xh_lingering *entry,
                    void (*abandon)(xh_lingering *));
void xh_loop_forget(uv_loop_t *loop, xh_lingering *entry);

/* Something was answered, and where that came soon after the last one there may be more
 * of it: the loop looks for a moment before it sleeps, as being woken up takes longer.
 */
void xh_loop_look(xh_loop *loop);

/* Nanoseconds of CLOCK_BOOTTIME (goes on while the machine sleeps; deadlines) and of
 * CLOCK_REALTIME (what people read; expiries). */
int64_t xh_boottime_ns(void);
int64_t xh_realtime_ns(void);

#endif
