/* logline.h - log bytes made into lines with times, or JSON lines. */
#ifndef XH_LOGLINE_H
#define XH_LOGLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"

/* A longer line is given in parts, so that memory has a bound. */
enum { XH_LINE_PART = 16384 };

typedef struct xh_logline {
  bool in_line;    /* the last byte seen was not a newline */
  xh_buffer held;  /* JSON only: the part of a line that has not ended yet */
  int64_t held_ns; /* when it began */
} xh_logline;

/* "2026-01-02T03:04:05.000000006Z"; out needs 31 bytes. */
void xh_rfc3339(int64_t realtime_ns, char out[31]);

/* Append data to out with the time before each line's first byte. */
int xh_logline_stamp(xh_logline *l, int64_t time_ns, const char *data, size_t len,
                     xh_buffer *out);

/* Append a JSON object for each line that ends in data. `data` is UTF-8 with U+FFFD for
 * what is not text, and then data_base64 has the exact bytes; the newline is left out,
 * and "partial":true says that there was none (yet). */
int xh_logline_json(xh_logline *l, int stream, int64_t time_ns, const char *data,
                    size_t len, xh_buffer *out);

/* Append what is held back of a line that never ended. */
int xh_logline_json_end(xh_logline *l, int stream, xh_buffer *out);

#endif
