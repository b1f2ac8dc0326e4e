/* jsontext.h - bytes as the inside of a JSON string. */
#ifndef XH_JSONTEXT_H
#define XH_JSONTEXT_H

#include <stddef.h>

#include "buffer.h"

/* Append len bytes without quotes around them. What is not UTF-8 becomes U+FFFD, one
 * for each part that could begin a character (as Unicode's chapter 3.9 recommends).
 * Returns 1 when there was such a part, 0 when there was none, or UV_ENOMEM. */
int xh_jsontext_append(xh_buffer *out, const char *data, size_t len);

/* As that, with the bytes that are not ASCII as they are. Returns 0 or UV_ENOMEM. */
int xh_jsontext_append_raw(xh_buffer *out, const char *data, size_t len);

#endif
