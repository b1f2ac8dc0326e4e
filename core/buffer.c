/* buffer.c - doubling growth, so that appending n bytes costs O(n). */
#include "buffer.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

int xh_buffer_reserve(xh_buffer *b, size_t more) {
  if (more > SIZE_MAX / 2 - b->len)
    return UV_ENOMEM;
  size_t need = b->len + more;
  if (need <= b->cap)
    return 0;
  size_t cap = b->cap > 0 ? b->cap : 256;
  while (cap < need)
    cap *= 2;
  char *data = realloc(b->data, cap);
  if (data == NULL)
    return UV_ENOMEM;
  b->data = data;
  b->cap = cap;
  return 0;
}

int xh_buffer_append(xh_buffer *b, const void *data, size_t len) {
  if (len == 0)
    return 0;
  int err = xh_buffer_reserve(b, len);
  if (err < 0)
    return err;
  memcpy(b->data + b->len, data, len);
  b->len += len;
  return 0;
}

void xh_buffer_consume(xh_buffer *b, size_t n) {
  if (n == 0)
    return;
  memmove(b->data, b->data + n, b->len - n);
  b->len -= n;
}

void xh_buffer_free(xh_buffer *b) {
  free(b->data);
  *b = (xh_buffer){0};
}
