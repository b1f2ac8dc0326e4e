/* buffer.h - bytes that grow. */
#ifndef XH_BUFFER_H
#define XH_BUFFER_H

#include <stddef.h>

typedef struct xh_buffer {
  char *data; /* NULL while empty */
  size_t len;
  size_t cap;
} xh_buffer;

/* Make room for `more` bytes after len. Returns 0 or UV_ENOMEM. */
int xh_buffer_reserve(xh_buffer *b, size_t more);

/* Append a copy of len bytes. Returns 0 or UV_ENOMEM. */
int xh_buffer_append(xh_buffer *b, const void *data, size_t len);

/* Drop the first n bytes (n <= len). */
void xh_buffer_consume(xh_buffer *b, size_t n);

/* Give the memory back; the buffer is empty and can be used again. */
void xh_buffer_free(xh_buffer *b);

#endif
