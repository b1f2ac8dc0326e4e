/* output.c - an engine's stream of output, into the logs. */
#include "output.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

#define COMPARED 4096

void xh_output_open(xh_output *o, xh_log *log, const xh_engine_spec *spec) {
  *o = (xh_output){.raw = spec->tty, .files = {-1, -1}};
  for (int i = 0; i < 2; i++) {
    xh_stream *s = &log->streams[i];
    /* A file that is smaller than that was cut by somebody: nothing compares. */
    o->base[i] = s->size >= spec->skip[i] ? s->size - spec->skip[i] : s->size;
    s->bytes = spec->skip[i];
  }
}

static void close_files(xh_output *o) {
  for (int i = 0; i < 2; i++) {
    if (o->files[i] >= 0)
      close(o->files[i]);
    o->files[i] = -1;
  }
}

void xh_output_attach(xh_output *o) {
  close_files(o);
  o->frames = (xh_frames){0};
  o->skip[0] = o->skip[1] = 0;
}

static int reopen(int file) {
  char path[40];
  xh_text out = {path, path + sizeof path - 1};
  xh_text_add(&out, "/proc/self/fd/");
  xh_text_number(&out, (uint64_t)file);
  *out.at = '\0';
  return open(path, O_RDONLY | O_CLOEXEC);
}

void xh_output_history(xh_output *o, const xh_log *log) {
  xh_output_attach(o);
  if (o->inexact)
    return;
  for (int i = 0; i < 2; i++) {
    const xh_stream *s = &log->streams[i];
    o->skip[i] = s->bytes;
    /* Where bytes were dropped, the file has none to compare with. */
    if (s->bytes > 0 && s->dropped == 0)
      o->files[i] = reopen(s->file);
  }
}

void xh_output_since(const xh_log *log, xh_text *out) {
  struct stat st;
  struct timespec last = {0, 0};
  for (int i = 0; i < 2; i++)
    if (fstat(log->streams[i].file, &st) == 0 && st.st_size > 0 &&
        st.st_mtim.tv_sec >= last.tv_sec)
      last = st.st_mtim;
  char digits[10] = "000000000";
  for (int i = 8; i >= 0; i--, last.tv_nsec /= 10)
    digits[i] = (char)('0' + last.tv_nsec % 10);
  xh_text_number(out, (uint64_t)last.tv_sec);
  xh_text_add(out, ".");
  xh_text_add(out, digits);
}

/* Whether the bytes to be skipped are those that the file has there. */
static bool same(const xh_output *o, const xh_log *log, int stream, const char *data,
                 size_t size) {
  char bytes[COMPARED];
  if (o->files[stream] < 0)
    return true;
  uint64_t at = o->base[stream] + log->streams[stream].bytes - o->skip[stream];
  while (size > 0) {
    size_t part = size < sizeof bytes ? size : sizeof bytes;
    ssize_t got = pread(o->files[stream], bytes, part, (off_t)at);
    if (got <= 0 || memcmp(bytes, data, (size_t)got) != 0)
      return false;
    at += (uint64_t)got;
    data += got;
    size -= (size_t)got;
  }
  return true;
}

static bool keep(xh_output *o, xh_log *log, int stream, const char *data, size_t size,
                 uint64_t now) {
  size_t old = o->skip[stream] < size ? (size_t)o->skip[stream] : size;
  if (old > 0 && !same(o, log, stream, data, old)) {
    o->inexact = true;
    return false;
  }
  o->skip[stream] -= old;
  if (old < size)
    xh_log_keep(log, stream, data + old, size - old, now);
  return true;
}

bool xh_output_take(xh_output *o, xh_log *log, const char *data, size_t size,
                    uint64_t now) {
  xh_frame_piece piece;
  int got;
  if (o->raw)
    return keep(o, log, 0, data, size, now);
  while ((got = xh_frames_next(&o->frames, &data, &size, &piece)) > 0)
    if (!keep(o, log, piece.stream, piece.data, piece.len, now))
      return false;
  return got == 0;
}

bool xh_output_end(xh_output *o) {
  close_files(o);
  return o->raw || xh_frames_complete(&o->frames);
}

bool xh_output_short(const xh_output *o) {
  return o->skip[0] > 0 || o->skip[1] > 0;
}
