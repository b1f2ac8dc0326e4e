/* logline.c - see logline.h. */
#include "logline.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "jsontext.h"

void xh_rfc3339(int64_t realtime_ns, char out[31]) {
  time_t seconds = (time_t)(realtime_ns / 1000000000);
  struct tm tm;
  gmtime_r(&seconds, &tm);
  size_t n = strftime(out, 31, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(out + n, 31 - n, ".%09dZ", (int)(realtime_ns % 1000000000));
}

int xh_logline_stamp(xh_logline *l, int64_t time_ns, const char *data, size_t len,
                     xh_buffer *out) {
  char stamp[32];
  xh_rfc3339(time_ns, stamp);
  strcat(stamp, " ");
  int err = 0;
  while (len > 0 && err == 0) {
    const char *newline = memchr(data, '\n', len);
    size_t part = newline != NULL ? (size_t)(newline - data) + 1 : len;
    if (!l->in_line)
      err = xh_buffer_append(out, stamp, strlen(stamp));
    if (err == 0)
      err = xh_buffer_append(out, data, part);
    l->in_line = newline == NULL;
    data += part;
    len -= part;
  }
  return err;
}

static int append_base64(xh_buffer *out, const char *data, size_t len) {
  static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  int err = 0;
  for (size_t i = 0; i < len && err == 0; i += 3) {
    unsigned v = (unsigned)(unsigned char)data[i] << 16;
    if (i + 1 < len)
      v |= (unsigned)(unsigned char)data[i + 1] << 8;
    if (i + 2 < len)
      v |= (unsigned char)data[i + 2];
    char four[4] = {digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63],
                    digits[v & 63]};
    if (i + 2 >= len)
      four[3] = '=';
    if (i + 1 >= len)
      four[2] = '=';
    err = xh_buffer_append(out, four, 4);
  }
  return err;
}

static int append_text(xh_buffer *out, const char *text) {
  return xh_buffer_append(out, text, strlen(text));
}

static int append_object(xh_buffer *out, int stream, int64_t time_ns, const char *data,
                         size_t len, bool partial) {
  char stamp[31];
  xh_rfc3339(time_ns, stamp);
  int err = append_text(out, "{\"data\":\"");
  int unclean = err < 0 ? err : xh_jsontext_append(out, data, len);
  if (unclean < 0)
    return unclean;
  err = append_text(out, "\"");
  if (unclean && err == 0) {
    err = append_text(out, ",\"data_base64\":\"");
    if (err == 0)
      err = append_base64(out, data, len);
    if (err == 0)
      err = append_text(out, "\"");
  }
  if (partial && err == 0)
    err = append_text(out, ",\"partial\":true");
  char rest[96];
  snprintf(rest, sizeof rest, ",\"stream\":\"%s\",\"time\":\"%s\"}\n",
           stream == 0 ? "stdout" : "stderr", stamp);
  return err < 0 ? err : append_text(out, rest);
}

/* Give what is held but the last `keep` bytes. */
static int give_held(xh_logline *l, int stream, bool partial, size_t keep,
                     xh_buffer *out) {
  size_t len = l->held.len - keep;
  int err = append_object(out, stream, l->held_ns,
                          l->held.data != NULL ? l->held.data : "", len, partial);
  xh_buffer_consume(&l->held, len);
  return err;
}

/* How many bytes at the end begin a UTF-8 sequence that goes on after them. */
static size_t cut_sequence(const char *data, size_t len) {
  for (size_t back = 1; back <= 3 && back <= len; back++) {
    unsigned char c = (unsigned char)data[len - back];
    if ((c & 0xc0) != 0x80)
      return (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : c >= 0xc2 ? 2u : 1u) > back ? back : 0;
  }
  return 0;
}

int xh_logline_json(xh_logline *l, int stream, int64_t time_ns, const char *data,
                    size_t len, xh_buffer *out) {
  int err = 0;
  while (len > 0 && err == 0) {
    if (l->held.len == 0)
      l->held_ns = time_ns;
    const char *newline = memchr(data, '\n', len);
    size_t part = newline != NULL ? (size_t)(newline - data) : len;
    size_t room = XH_LINE_PART - l->held.len;
    bool cut = part > room;
    if (cut)
      part = room;
    err = xh_buffer_append(&l->held, data, part);
    data += part;
    len -= part;
    if (err == 0 && cut) {
      err = give_held(l, stream, true, cut_sequence(l->held.data, l->held.len), out);
    } else if (err == 0 && newline != NULL) {
      err = give_held(l, stream, false, 0, out);
      data++;
      len--;
    }
  }
  return err;
}

int xh_logline_json_end(xh_logline *l, int stream, xh_buffer *out) {
  return l->held.len > 0 ? give_held(l, stream, true, 0, out) : 0;
}
