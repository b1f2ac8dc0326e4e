/* hijack.c - a request whose connection becomes a stream in both directions. */
#include "hijack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buffer.h"
#include "frames.h"
#include "response.h"
#include "upload.h"

enum { CHUNK = 65536, MOST_WORDS = 65536 };

static const char HEAD[] =
  "POST %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: exhost\r\n"
  "Connection: Upgrade\r\nUpgrade: tcp\r\n"
  "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n";

struct xh_hijack {
  xh_hijack_options o;
  xh_http_request *connecting;
  uv_loop_t *loop;
  uv_pipe_t socket, out[2];
  xh_upload *upload;
  xh_response answer;
  xh_frames frames;
  xh_buffer request, words;
  uv_write_t sending;
  int open_handles, writes; /* of output that found no room */
  bool ended, closed;
  char chunk[CHUNK];
};

static void free_now(xh_hijack *h) {
  xh_buffer_free(&h->request);
  xh_buffer_free(&h->words);
  free(h);
}

static void on_closed(uv_handle_t *handle) {
  xh_hijack *h = handle->data;
  if (--h->open_handles == 0)
    free_now(h);
}

static void finish(xh_hijack *h, int error, const char *why) {
  if (h->ended)
    return;
  h->ended = true;
  h->o.on_end(h, error, h->answer.status, h->words.data != NULL ? h->words.data : "",
              h->words.len, why, h->o.user);
}

static void on_read(uv_stream_t *socket, ssize_t n, const uv_buf_t *buffer);

/* Nothing is read while output waits for room, so that there is one chunk. */
static void give_chunk(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer) {
  xh_hijack *h = handle->data;
  (void)wanted;
  *buffer = uv_buf_init(h->chunk, CHUNK);
}

static void on_put(uv_write_t *write, int error) {
  xh_hijack *h = write->data;
  free(write);
  h->writes--;
  if (h->closed || h->ended)
    return;
  if (error < 0)
    finish(h, error, NULL);
  else if (h->writes == 0)
    uv_read_start((uv_stream_t *)&h->socket, give_chunk, on_read);
}

/* The bytes lie in the chunk until they are written. */
static int put(xh_hijack *h, int stream, const char *data, size_t len) {
  uv_stream_t *to = (uv_stream_t *)&h->out[stream];
  uv_buf_t rest = uv_buf_init((char *)data, (unsigned)len);
  int n = uv_stream_get_write_queue_size(to) > 0 ? 0 : uv_try_write(to, &rest, 1);
  if (n < 0 && n != UV_EAGAIN)
    return n;
  if (n == (int)len)
    return 0;
  rest = uv_buf_init((char *)data + (n > 0 ? n : 0),
                     (unsigned)len - (unsigned)(n > 0 ? n : 0));
  uv_write_t *write = malloc(sizeof *write);
  if (write == NULL)
    return UV_ENOMEM;
  write->data = h;
  h->writes++;
  uv_read_stop((uv_stream_t *)&h->socket);
  int err = uv_write(write, to, &rest, 1, on_put);
  if (err < 0) {
    h->writes--;
    free(write);
  }
  return err;
}

static int take_output(xh_hijack *h, const char *data, size_t len) {
  xh_frame_piece piece;
  int got;
  while ((got = xh_frames_next(&h->frames, &data, &len, &piece)) > 0) {
    int err = put(h, piece.stream, piece.data, piece.len);
    if (err < 0)
      return err;
  }
  return got < 0 ? UV_EPROTO : 0;
}

static int take_words(xh_hijack *h, const char *data, size_t len) {
  if (h->words.len + len > MOST_WORDS)
    return UV_E2BIG;
  return xh_buffer_append(&h->words, data, len);
}

static int take(xh_hijack *h, const char *data, size_t len) {
  const char *piece;
  size_t size;
  int got, err = 0;
  while (err == 0 &&
         (got = xh_response_next(&h->answer, &data, &len, &piece, &size)) > 0)
    err =
      h->answer.status < 300 ? take_output(h, piece, size) : take_words(h, piece, size);
  return err == 0 && got < 0 ? UV_EPROTO : err;
}

static bool is_stream(const xh_hijack *h) {
  return h->answer.head && h->answer.status < 300;
}

static int at_end(xh_hijack *h) {
  bool whole = xh_response_end(&h->answer) && xh_frames_complete(&h->frames);
  return whole ? 0 : UV_ECONNRESET;
}

static void on_read(uv_stream_t *socket, ssize_t n, const uv_buf_t *buffer) {
  xh_hijack *h = socket->data;
  (void)buffer;
  if (n == 0 || h->ended)
    return;
  bool streamed = is_stream(h);
  int err = n > 0 ? take(h, h->chunk, (size_t)n) : n == UV_EOF ? at_end(h) : (int)n;
  if (err == 0 && !streamed && is_stream(h) && h->o.in >= 0)
    err = xh_upload_open(&h->upload, h->loop, h->o.in, (uv_stream_t *)&h->socket);
  if (h->upload != NULL)
    h->o.in = -1; /* it is closed there */
  if (n < 0 || err < 0 || h->answer.part == XH_RESPONSE_DONE) {
    uv_read_stop(socket);
    finish(h, err, NULL);
  }
}

static void on_sent(uv_write_t *write, int error) {
  xh_hijack *h = write->data;
  if (error < 0 && !h->closed)
    finish(h, error, NULL);
}

static int begin(xh_hijack *h, int fd) {
  int err = uv_pipe_open(&h->socket, fd);
  if (err < 0) {
    close(fd);
    return err;
  }
  uv_buf_t all = uv_buf_init(h->request.data, (unsigned)h->request.len);
  h->sending.data = h;
  err = uv_write(&h->sending, (uv_stream_t *)&h->socket, &all, 1, on_sent);
  if (err < 0)
    return err;
  return uv_read_start((uv_stream_t *)&h->socket, give_chunk, on_read);
}

static void on_connected(xh_http_request *r, const xh_http_answer *a, void *user) {
  xh_hijack *h = user;
  (void)r;
  h->connecting = NULL;
  int err = a->socket < 0 ? UV_ECONNREFUSED : begin(h, a->socket);
  if (err < 0)
    finish(h, err, a->socket < 0 ? a->error : NULL);
}

static int write_request(xh_hijack *h) {
  size_t room = sizeof HEAD + strlen(h->o.path) + 24;
  int err = xh_buffer_reserve(&h->request, room + h->o.body_len);
  if (err < 0)
    return err;
  int n = snprintf(h->request.data, room, HEAD, h->o.path, h->o.body_len);
  h->request.len = (size_t)n;
  return xh_buffer_append(&h->request, h->o.body, h->o.body_len);
}

static void drop(int *fd) {
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

static void init_stream(xh_hijack *h, uv_pipe_t *handle) {
  uv_pipe_init(h->loop, handle, 0); /* never fails on Unix */
  handle->data = h;
  h->open_handles++;
}

/* What is not a stream's yet is closed by xh_hijack_close(). */
static int open_streams(xh_hijack *h) {
  int err = 0;
  for (int i = 0; i < 2 && err == 0; i++) {
    err = uv_pipe_open(&h->out[i], h->o.out[i]);
    if (err == 0)
      h->o.out[i] = -1;
  }
  return err;
}

int xh_hijack_open(xh_hijack **out, xh_http *http, xh_loop *loop,
                   const xh_hijack_options *o) {
  xh_hijack *h = calloc(1, sizeof *h);
  if (h == NULL)
    return UV_ENOMEM;
  h->o = *o;
  h->loop = &loop->uv;
  init_stream(h, &h->socket);
  init_stream(h, &h->out[0]);
  init_stream(h, &h->out[1]);
  xh_http_options connect = {.method = "GET",
                             .path = "/",
                             .connect = true,
                             .on_answer = on_connected,
                             .user = h};
  int err = open_streams(h);
  if (err == 0)
    err = write_request(h);
  if (err == 0)
    err = xh_http_send(http, &connect, &h->connecting);
  if (err == 0)
    *out = h;
  else
    xh_hijack_close(h);
  return err;
}

void xh_hijack_close(xh_hijack *h) {
  if (h == NULL || h->closed)
    return;
  h->closed = h->ended = true;
  if (h->connecting != NULL)
    xh_http_abort(h->connecting);
  xh_upload_close(h->upload);
  drop(&h->o.in);
  drop(&h->o.out[0]);
  drop(&h->o.out[1]);
  uv_close((uv_handle_t *)&h->socket, on_closed);
  for (int i = 0; i < 2; i++)
    uv_close((uv_handle_t *)&h->out[i], on_closed);
}
