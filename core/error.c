/* error.c - names and texts of error codes, by libuv's own table. */
#include "error.h"

#include <string.h>

#include <uv.h>

const char *xh_error_name(int err) {
  const char *name = strerrorname_np(-err);
  return name != NULL ? name : "UNKNOWN";
}

/* libuv words its codes in lower case, as our messages are; the rest (EDQUOT, ESTALE,
 * ...) come from libc. Not by uv_strerror(), which allocates for a code it has not. */
const char *xh_error_text(int err) {
  switch (err) {
#define TEXT_OF(name, text)                                                            \
  case UV_##name:                                                                      \
    return text;
    UV_ERRNO_MAP(TEXT_OF)
#undef TEXT_OF
  }
  const char *text = strerrordesc_np(-err);
  return text != NULL ? text : "unknown error";
}
