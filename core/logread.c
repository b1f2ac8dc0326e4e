/* logread.c - the pump: choose the next piece, push it until the target is full.
 *
 * 1. logsource.c says which bytes of which file come next (log order).
 * 2. emit() turns them into the wanted form: sendfile, or through `pending`.
 * 3. With nothing left it waits for the files to grow, or ends. */
#include "logread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logformat.h"
#include "logline.h"
#include "logsource.h"
#include "watch.h"

enum {
  STEP_BYTES = 256 * 1024, /* before other work on the loop has its turn */
  BLOCK = 32 * 1024,       /* read at a time when bytes must be changed */
  MAX_FRAME = 64 * 1024,
  SHARED_WRITE = 4096, /* what a poll promises for a descriptor in blocking mode */
};

struct xh_logread {
  xh_loop *loop;
  uv_poll_t poll; /* on target; not started for a plain file */
  uv_idle_t idle; /* drives a target that cannot be polled */
  int open_handles;
  bool pollable, nonblocking, by_sendfile, closed, ended, finishing;
  bool awaits_room; /* growth of the files is no news until then */
  xh_logread_options o;
  xh_watch *watch;
  xh_logsource source;
  xh_logline line[2];
  xh_log_chunk chunk; /* being given; length 0: none */
  xh_buffer pending;
  size_t pending_done;
};

static bool is_plain(const xh_logread *r) {
  return r->o.format != XH_LOG_JSONL && !r->o.timestamps;
}

/* --- giving ------------------------------------------------------------------- */

static ssize_t push(xh_logread *r, const char *data, size_t len) {
  if (!r->nonblocking && r->pollable && len > SHARED_WRITE)
    len = SHARED_WRITE;
  ssize_t n = write(r->o.target, data, len);
  return n < 0 ? -errno : n;
}

static int flush_pending(xh_logread *r) {
  while (r->pending_done < r->pending.len) {
    ssize_t n =
      push(r, r->pending.data + r->pending_done, r->pending.len - r->pending_done);
    if (n == UV_EINTR)
      continue;
    if (n < 0)
      return (int)n;
    r->pending_done += (size_t)n;
    if (!r->nonblocking && r->pollable)
      return r->pending_done < r->pending.len ? UV_EAGAIN : 0;
  }
  r->pending_done = r->pending.len = 0;
  return 0;
}

static void consume(xh_logread *r, int64_t n) {
  r->chunk.offset += n;
  r->chunk.length -= n;
  r->source.pos[r->chunk.stream] = r->chunk.offset;
}

/* Move bytes file to target in the kernel. Targets that refuse (append-only files,
 * some devices) are served by emit_copied() from then on. */
static ssize_t emit_sendfile(xh_logread *r, int64_t most) {
  if (!r->nonblocking && r->pollable && most > SHARED_WRITE)
    most = SHARED_WRITE;
  off_t offset = r->chunk.offset;
  ssize_t n =
    sendfile(r->o.target, r->source.fd[r->chunk.stream], &offset, (size_t)most);
  if (n < 0 && (errno == EINVAL || errno == ENOSYS)) {
    r->by_sendfile = false;
    return 0;
  }
  if (n < 0)
    return -errno;
  if (n == 0)
    consume(r, r->chunk.length); /* truncated since we looked */
  else
    consume(r, n);
  return n;
}

/* Read a block and put its wanted form into pending. */
static ssize_t emit_copied(xh_logread *r, int64_t most) {
  char block[BLOCK];
  xh_logline *line = &r->line[r->chunk.stream];
  size_t want = most < BLOCK ? (size_t)most : BLOCK;
  ssize_t n = pread(r->source.fd[r->chunk.stream], block, want, r->chunk.offset);
  if (n <= 0) {
    consume(r, r->chunk.length);
    return n < 0 ? -errno : 0;
  }
  int64_t time_ns = r->chunk.time_ns;
  int err;
  if (r->o.format == XH_LOG_JSONL)
    err =
      xh_logline_json(line, r->chunk.stream, time_ns, block, (size_t)n, &r->pending);
  else if (r->o.timestamps)
    err = xh_logline_stamp(line, time_ns, block, (size_t)n, &r->pending);
  else
    err = xh_buffer_append(&r->pending, block, (size_t)n);
  if (err < 0)
    return err;
  consume(r, n);
  return n;
}

static int add_frame_header(xh_buffer *out, int stream, int64_t length) {
  unsigned char header[8] = {(unsigned char)(stream + 1), 0, 0, 0};
  for (int i = 0; i < 4; i++)
    header[4 + i] = (unsigned char)(length >> (24 - 8 * i) & 0xff);
  return xh_buffer_append(out, header, sizeof header);
}

/* A frame's length must be known before its bytes, so it is copied as a whole: the
 * file could shrink between a header and a sendfile. */
static ssize_t emit_frame(xh_logread *r) {
  int stream = r->chunk.stream;
  xh_buffer body = r->pending;
  r->pending = (xh_buffer){0};
  ssize_t n = emit_copied(r, r->chunk.length < MAX_FRAME ? r->chunk.length : MAX_FRAME);
  xh_buffer made = r->pending;
  r->pending = body;
  int err = 0;
  if (made.len > 0) {
    err = add_frame_header(&r->pending, stream, (int64_t)made.len);
    if (err == 0)
      err = xh_buffer_append(&r->pending, made.data, made.len);
  }
  xh_buffer_free(&made);
  return err < 0 ? err : n;
}

static ssize_t emit(xh_logread *r) {
  if (r->o.format == XH_LOG_FRAMES)
    return emit_frame(r);
  int64_t most = r->chunk.length < STEP_BYTES ? r->chunk.length : STEP_BYTES;
  return r->by_sendfile && is_plain(r) ? emit_sendfile(r, most) : emit_copied(r, most);
}

/* --- driving ------------------------------------------------------------------- */

static void drive(xh_logread *r);

static void finish(xh_logread *r, int error) {
  if (r->ended)
    return;
  r->ended = true;
  if (r->pollable)
    uv_poll_stop(&r->poll);
  uv_idle_stop(&r->idle);
  r->o.on_end(r, error, r->o.user);
}

static void on_target(uv_poll_t *poll, int status, int events) {
  xh_logread *r = poll->data;
  if (status < 0 || ((events & UV_DISCONNECT) && !(events & UV_WRITABLE)))
    finish(r, UV_EPIPE);
  else
    drive(r);
}

static void on_idle(uv_idle_t *idle) {
  drive(idle->data);
}

/* Wait for room in the target (want_room) or only notice that its reader leaves. */
static void await_target(xh_logread *r, bool want_room) {
  r->awaits_room = want_room;
  if (r->pollable)
    uv_poll_start(&r->poll, want_room ? UV_WRITABLE | UV_DISCONNECT : UV_DISCONNECT,
                  on_target);
  else if (want_room)
    uv_idle_start(&r->idle, on_idle);
  else
    uv_idle_stop(&r->idle);
}

static int end_lines(xh_logread *r) {
  int err = 0;
  if (r->o.format == XH_LOG_JSONL)
    for (int stream = 0; stream < 2 && err == 0; stream++)
      err = xh_logline_json_end(&r->line[stream], stream, &r->pending);
  return err;
}

/* One step's worth of output. 1: more to do, 0: nothing more now, negative: error. */
static int step(xh_logread *r) {
  for (int64_t done = 0; done < STEP_BYTES;) {
    int err = flush_pending(r);
    if (err < 0)
      return err;
    if (r->chunk.length == 0 && !xh_logsource_next(&r->source, &r->chunk))
      return 0;
    ssize_t n = emit(r);
    if (n < 0)
      return (int)n;
    done += n;
    if (!r->nonblocking && r->pollable)
      return 1; /* ask the poll again before the next write */
  }
  return 1;
}

static void drive(xh_logread *r) {
  if (r->ended || r->closed)
    return;
  int more = step(r);
  if (more == UV_EAGAIN || more == UV_EINTR)
    more = 1;
  if (more < 0) {
    finish(r, more);
    return;
  }
  if (more == 0 && (!r->o.follow || r->finishing)) {
    int err = end_lines(r);
    more = r->pending.len > r->pending_done ? 1 : 0;
    if (err < 0 || more == 0) {
      finish(r, err);
      return;
    }
  }
  await_target(r, more > 0);
}

static void on_change(xh_watch *w, int what, const char *name, void *user) {
  (void)w;
  xh_logread *r = user;
  if (what & XH_WATCH_GONE)
    xh_logread_finish(r);
  else if (!r->awaits_room &&
           ((what & XH_WATCH_LOST) || strcmp(name, XH_FILE_STDOUT) == 0 ||
            strcmp(name, XH_FILE_STDERR) == 0)) {
    if (r->nonblocking || !r->pollable)
      drive(r);
    else
      await_target(r, true); /* only the poll knows whether a write would wait */
  }
}

/* --- life ------------------------------------------------------------------------ */

static void on_closed(uv_handle_t *handle) {
  xh_logread *r = handle->data;
  if (--r->open_handles > 0)
    return;
  xh_buffer_free(&r->line[0].held);
  xh_buffer_free(&r->line[1].held);
  xh_logsource_close(&r->source);
  close(r->o.target);
  xh_buffer_free(&r->pending);
  free(r);
}

/* The two handles. A plain file cannot be polled (EPERM): the idle handle drives it. */
static int open_handles(xh_logread *r) {
  uv_idle_init(&r->loop->uv, &r->idle);
  r->idle.data = r->poll.data = r;
  r->open_handles = 1;
  int flags = fcntl(r->o.target, F_GETFL);
  if (flags < 0)
    return -errno;
  r->nonblocking = (flags & O_NONBLOCK) != 0;
  r->by_sendfile = (flags & O_APPEND) == 0;
  struct stat st;
  if (fstat(r->o.target, &st) != 0)
    return -errno;
  if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
    return 0;
  int err = uv_poll_init(&r->loop->uv, &r->poll, r->o.target);
  if (!r->nonblocking)
    fcntl(r->o.target, F_SETFL, flags); /* uv_poll_init made it non-blocking for all */
  if (err == UV_EPERM)
    return 0; /* /dev/null and its like are always ready */
  if (err < 0)
    return err;
  r->pollable = true;
  r->open_handles = 2;
  return 0;
}

int xh_logread_open(xh_logread **out, xh_loop *loop, const xh_logread_options *o) {
  if (o->struct_size != sizeof *o)
    return UV_EINVAL;
  xh_logread *r = calloc(1, sizeof *r);
  if (r == NULL)
    return UV_ENOMEM;
  r->loop = loop;
  r->o = *o;
  r->o.target = -1; /* the caller's until we succeed */
  int err = xh_logsource_open(&r->source, o);
  if (err == 0 && o->follow)
    err = xh_watch_open(&r->watch, loop, r->source.log_dir,
                        XH_WATCH_MODIFIED | XH_WATCH_APPEARED, on_change, r);
  if (err < 0) {
    xh_logsource_close(&r->source);
    free(r);
    return err;
  }
  r->o.target = o->target;
  err = open_handles(r);
  if (err < 0) {
    r->o.target = -1;
    xh_logread_close(r);
    return err;
  }
  xh_logsource_begin(&r->source, o->index_dir);
  await_target(r, true);
  *out = r;
  return 0;
}

void xh_logread_finish(xh_logread *r) {
  if (r == NULL || r->finishing || r->closed)
    return;
  r->finishing = true;
  if (!r->ended)
    await_target(r, true);
}

void xh_logread_close(xh_logread *r) {
  if (r == NULL || r->closed)
    return;
  r->closed = true;
  xh_watch_close(r->watch);
  r->watch = NULL;
  uv_close((uv_handle_t *)&r->idle, on_closed);
  if (r->pollable)
    uv_close((uv_handle_t *)&r->poll, on_closed);
}
