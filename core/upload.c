/* upload.c - what a descriptor says goes up a stream, and its end with it. */
#include "upload.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 65536 };

struct xh_upload {
  uv_loop_t *loop;
  uv_stream_t *to;
  int fd;
  bool is_file, closed; /* a file cannot be polled, but is read by the thread pool */
  bool is_reading;
  int busy; /* callbacks that will come */
  uv_poll_t ready;
  uv_fs_t reading;
  uv_write_t writing;
  uv_shutdown_t ending;
  char chunk[CHUNK];
};

/* A callback has come. Returns whether the upload goes on. */
static bool goes_on(xh_upload *u) {
  u->busy--;
  if (!u->closed)
    return true;
  if (u->busy == 0) {
    close(u->fd);
    free(u);
  }
  return false;
}

static void next(xh_upload *u);

static void on_written(uv_write_t *write, int error) {
  xh_upload *u = write->data;
  if (goes_on(u) && error == 0)
    next(u);
}

static void on_ended(uv_shutdown_t *ending, int error) {
  (void)error;
  goes_on(ending->data);
}

static void take(xh_upload *u, ssize_t n) {
  if (n > 0) {
    uv_buf_t piece = uv_buf_init(u->chunk, (unsigned)n);
    if (uv_write(&u->writing, u->to, &piece, 1, on_written) == 0)
      u->busy++;
  } else if (uv_shutdown(&u->ending, u->to, on_ended) == 0) {
    u->busy++;
  }
}

static void on_file(uv_fs_t *reading) {
  xh_upload *u = reading->data;
  ssize_t n = reading->result;
  uv_fs_req_cleanup(reading);
  u->is_reading = false;
  if (goes_on(u))
    take(u, n);
}

static void on_ready(uv_poll_t *ready, int error, int events) {
  xh_upload *u = ready->data;
  (void)events;
  ssize_t n = error < 0 ? error : read(u->fd, u->chunk, CHUNK);
  if (error == 0 && n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  uv_poll_stop(ready);
  take(u, n);
}

static void next(xh_upload *u) {
  if (!u->is_file) {
    uv_poll_start(&u->ready, UV_READABLE, on_ready);
    return;
  }
  uv_buf_t room = uv_buf_init(u->chunk, CHUNK);
  u->is_reading = uv_fs_read(u->loop, &u->reading, u->fd, &room, 1, -1, on_file) == 0;
  if (u->is_reading)
    u->busy++;
  else
    take(u, 0);
}

static void on_closed(uv_handle_t *ready) {
  goes_on(ready->data);
}

int xh_upload_open(xh_upload **out, uv_loop_t *loop, int fd, uv_stream_t *to) {
  struct stat st;
  if (fstat(fd, &st) != 0)
    return -errno;
  xh_upload *u = calloc(1, sizeof *u);
  if (u == NULL)
    return UV_ENOMEM;
  u->is_file = S_ISREG(st.st_mode);
  int err = u->is_file ? 0 : uv_poll_init(loop, &u->ready, fd);
  if (err < 0) {
    free(u);
    return err;
  }
  u->loop = loop;
  u->to = to;
  u->fd = fd;
  u->ready.data = u->reading.data = u->writing.data = u->ending.data = u;
  *out = u;
  next(u);
  return 0;
}

void xh_upload_close(xh_upload *u) {
  if (u == NULL || u->closed)
    return;
  u->busy++;
  if (!u->is_file) {
    u->closed = true;
    uv_close((uv_handle_t *)&u->ready, on_closed);
    return;
  }
  if (u->is_reading)
    uv_cancel((uv_req_t *)&u->reading); /* or its callback comes when it was read */
  u->closed = true;
  goes_on(u);
}
