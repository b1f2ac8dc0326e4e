/* watch.c - one inotify descriptor shared by every watch of a loop. */
#include "watch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Watches are found by the kernel's number in an open hash, so that an event costs
 * the same with one execution and with a thousand. */
enum { BUCKETS = 1024 };

struct xh_watch {
  xh_watch *next;
  struct xh_watcher *watcher;
  int wd, what;
  bool closed; /* closed while events are being told: freed after that */
  xh_watch_fn on_change;
  void *user;
};

struct xh_watcher {
  uv_poll_t poll;
  int fd;
  int users;   /* watches that are open: with none, the loop need not run for us */
  int telling; /* depth of callbacks */
  bool stale;  /* closed watches wait to be freed */
  xh_watch *bucket[BUCKETS];
};

static void on_closed(uv_handle_t *handle) {
  struct xh_watcher *r = handle->data;
  close(r->fd);
  free(r);
}

static void free_closed(struct xh_watcher *r) {
  if (r->telling > 0 || !r->stale)
    return;
  r->stale = false;
  for (int i = 0; i < BUCKETS; i++)
    for (xh_watch **at = &r->bucket[i]; *at != NULL;) {
      xh_watch *w = *at;
      if (!w->closed) {
        at = &w->next;
        continue;
      }
      *at = w->next;
      free(w);
    }
}

static void tell(struct xh_watcher *r, int wd, int what, const char *name) {
  r->telling++;
  for (xh_watch *w = r->bucket[wd % BUCKETS]; w != NULL; w = w->next)
    if (w->wd == wd && !w->closed && (w->what & what) != 0)
      w->on_change(w, what & w->what, name, w->user);
  r->telling--;
}

static void tell_all_lost(struct xh_watcher *r) {
  r->telling++;
  for (int i = 0; i < BUCKETS; i++)
    for (xh_watch *w = r->bucket[i]; w != NULL; w = w->next)
      if (!w->closed)
        w->on_change(w, XH_WATCH_LOST, "", w->user);
  r->telling--;
}

static int kinds_of(uint32_t mask) {
  int what = 0;
  if (mask & (IN_CREATE | IN_MOVED_TO))
    what |= XH_WATCH_APPEARED;
  if (mask & IN_MODIFY)
    what |= XH_WATCH_MODIFIED;
  if (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED))
    what |= XH_WATCH_GONE;
  return what;
}

static void on_readable(uv_poll_t *poll, int error, int events) {
  (void)error;
  (void)events;
  struct xh_watcher *r = poll->data;
  _Alignas(struct inotify_event) char buffer[16384];
  ssize_t n = read(r->fd, buffer, sizeof buffer);
  r->telling++;
  for (char *p = buffer; n > 0 && p < buffer + n;) {
    const struct inotify_event *e = (const struct inotify_event *)p;
    if (e->mask & IN_Q_OVERFLOW)
      tell_all_lost(r);
    else
      tell(r, e->wd, kinds_of(e->mask), e->len > 0 ? e->name : "");
    p += sizeof *e + e->len;
  }
  r->telling--;
  free_closed(r);
}

static int watcher_of(struct xh_watcher **out, xh_loop *loop) {
  if (loop->watcher == NULL) {
    struct xh_watcher *r = calloc(1, sizeof *r);
    if (r == NULL)
      return UV_ENOMEM;
    r->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int err = r->fd < 0 ? -errno : uv_poll_init(&loop->uv, &r->poll, r->fd);
    if (err < 0) {
      if (r->fd >= 0)
        close(r->fd);
      free(r);
      return err;
    }
    r->poll.data = r;
    uv_poll_start(&r->poll, UV_READABLE, on_readable);
    uv_unref((uv_handle_t *)&r->poll);
    loop->watcher = r;
  }
  *out = loop->watcher;
  return 0;
}

int xh_watch_open(xh_watch **out, xh_loop *loop, int dir, int what,
                  xh_watch_fn on_change, void *user) {
  struct xh_watcher *r;
  int err = watcher_of(&r, loop);
  if (err < 0)
    return err;
  xh_watch *w = calloc(1, sizeof *w);
  if (w == NULL)
    return UV_ENOMEM;
  /* By descriptor: the folder may be renamed, and its path be too long or not ours. */
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", dir);
  uint32_t mask = IN_ONLYDIR | IN_MASK_ADD | IN_DELETE_SELF | IN_MOVE_SELF;
  if (what & XH_WATCH_APPEARED)
    mask |= IN_CREATE | IN_MOVED_TO;
  if (what & XH_WATCH_MODIFIED)
    mask |= IN_MODIFY;
  w->wd = inotify_add_watch(r->fd, path, mask);
  if (w->wd < 0) {
    err = -errno;
    free(w);
    return err;
  }
  w->watcher = r;
  w->what = what | XH_WATCH_GONE;
  w->on_change = on_change;
  w->user = user;
  w->next = r->bucket[w->wd % BUCKETS];
  r->bucket[w->wd % BUCKETS] = w;
  if (r->users++ == 0)
    uv_ref((uv_handle_t *)&r->poll);
  *out = w;
  return 0;
}

static bool is_shared(const xh_watch *w) {
  for (const xh_watch *o = w->watcher->bucket[w->wd % BUCKETS]; o != NULL; o = o->next)
    if (o != w && o->wd == w->wd && !o->closed)
      return true;
  return false;
}

void xh_watch_close(xh_watch *w) {
  if (w == NULL || w->closed)
    return;
  struct xh_watcher *r = w->watcher;
  if (!is_shared(w))
    inotify_rm_watch(r->fd, w->wd); /* fails harmlessly when the folder is gone */
  w->closed = r->stale = true;
  if (--r->users == 0)
    uv_unref((uv_handle_t *)&r->poll);
  free_closed(r);
}

void xh_watcher_close(xh_loop *loop) {
  struct xh_watcher *r = loop->watcher;
  if (r == NULL)
    return;
  for (int i = 0; i < BUCKETS; i++)
    for (xh_watch *w = r->bucket[i]; w != NULL; w = w->next)
      w->closed = r->stale = true;
  free_closed(r);
  loop->watcher = NULL;
  uv_close((uv_handle_t *)&r->poll, on_closed);
}
