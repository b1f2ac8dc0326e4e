/* hijack.h - a request whose connection becomes a stream in both directions.
 *
 * For a command in a container (Docker Engine API, ExecStart: "Upgrade: tcp"). What the
 * engine puts out goes to two descriptors as it comes, and while one of them has no
 * room nothing more is read; what a third one says goes up, and its end with it. */
#ifndef XH_HIJACK_H
#define XH_HIJACK_H

#include "http.h"

typedef struct xh_hijack xh_hijack;

/* Called once: at the end of the stream with 0, or with what ended it before, a
 * negative uv error (UV_EPIPE: nobody reads the output any more). status is of HTTP, 0
 * when there was none; above 299 body has the engine's words, and below it is empty.
 * why: libcurl's words for a connection that could not be made, else NULL. It may be
 * closed inside. */
typedef void (*xh_hijack_fn)(xh_hijack *h, int error, int status, const char *body,
                             size_t len, const char *why, void *user);

typedef struct xh_hijack_options {
  const char *path; /* "/v1.41/exec/ID/start", encoded */
  const char *body; /* JSON */
  size_t body_len;
  int in;     /* what goes up; -1: nothing does */
  int out[2]; /* stdout and stderr: pipes or sockets */
  xh_hijack_fn on_end;
  void *user;
} xh_hijack_options;

/* Connect as the client does, and begin. Returns 0 or a negative uv error. The
 * descriptors are taken over, also on failure. */
int xh_hijack_open(xh_hijack **out, xh_http *http, xh_loop *loop,
                   const xh_hijack_options *o);

/* No callback any more; closes the connection and all descriptors, and frees h in time.
 * Safe on NULL. */
void xh_hijack_close(xh_hijack *h);

#endif
