/* loop.c - opening and closing the loop so that nothing is left in it. */
#include "loop.h"

#include <sched.h>
#include <time.h>

#include "watch.h"

enum { LOOK_NS = 50000, SOON_NS = 4 * LOOK_NS };

int xh_loop_open(xh_loop *loop) {
  *loop = (xh_loop){.watcher = NULL};
  loop->lingering.next = loop->lingering.previous = &loop->lingering;
  int err = uv_loop_init(&loop->uv);
  if (err < 0)
    return err;
  loop->uv.data = loop;
  uv_idle_init(&loop->uv, &loop->looking);
  uv_unref((uv_handle_t *)&loop->looking);
  return 0;
}

int xh_loop_close(xh_loop *loop) {
  while (loop->lingering.next != &loop->lingering) {
    xh_lingering *entry = loop->lingering.next;
    xh_loop_forget(&loop->uv, entry);
    entry->abandon(entry);
  }
  xh_watcher_close(loop);
  uv_close((uv_handle_t *)&loop->looking, NULL);
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  return uv_loop_close(&loop->uv);
}

void xh_loop_linger(uv_loop_t *uv, xh_lingering *entry,
                    void (*abandon)(xh_lingering *)) {
  xh_loop *loop = uv->data;
  entry->abandon = abandon;
  entry->next = &loop->lingering;
  entry->previous = loop->lingering.previous;
  entry->previous->next = entry;
  entry->next->previous = entry;
}

void xh_loop_forget(uv_loop_t *uv, xh_lingering *entry) {
  (void)uv;
  entry->previous->next = entry->next;
  entry->next->previous = entry->previous;
}

static void on_look(uv_idle_t *idle) {
  xh_loop *loop = idle->loop->data;
  if (uv_hrtime() > loop->look_until_ns)
    uv_idle_stop(idle);
  else
    sched_yield(); /* who is to send something may need this processor */
}

void xh_loop_look(xh_loop *loop) {
  uint64_t now = uv_hrtime(), before = loop->looked_ns;
  loop->looked_ns = now;
  if (now - before > SOON_NS)
    return;
  loop->look_until_ns = now + LOOK_NS;
  uv_idle_start(&loop->looking, on_look);
}

static int64_t clock_ns(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t xh_boottime_ns(void) {
  return clock_ns(CLOCK_BOOTTIME);
}

int64_t xh_realtime_ns(void) {
  return clock_ns(CLOCK_REALTIME);
}
