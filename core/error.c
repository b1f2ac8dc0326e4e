/* error.c - names and texts of error codes, by libuv's own table. */
#include "error.h"

#include <errno.h>
#include <string.h>

#include <uv.h>

const char *xh_error_name(int err) {
  const char *name = strerrorname_np(-err);
  return name != NULL ? name : "UNKNOWN";
}

const char *xh_error_text(int err) {
  /* libuv words the codes it knows in lower case, as our messages are; the
   * rest (EDQUOT, ESTALE, ...) come from libc. */
  static const int known_to_libuv[] = {ENOENT, EACCES, EEXIST, EINVAL,  ENOTDIR, EISDIR,
                                       EPERM,  EBUSY,  ELOOP,  ENOSPC,  EMFILE,  EPIPE,
                                       EAGAIN, ENOMEM, EROFS,  ENOTSUP, ENXIO,   EIO};
  for (size_t i = 0; i < sizeof known_to_libuv / sizeof *known_to_libuv; i++)
    if (-err == known_to_libuv[i])
      return uv_strerror(err);
  const char *text = strerrordesc_np(-err);
  return text != NULL ? text : "unknown error";
}
