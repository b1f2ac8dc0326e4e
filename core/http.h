/* http.h - HTTP requests to an engine, many at once, on the loop.
 *
 * One client an engine address. libcurl's multi interface does the work: connections
 * are kept and used again, no proxy is asked, no signal is used. Deadlines are the
 * caller's: xh_http_abort() ends a request at any time. */
#ifndef XH_HTTP_H
#define XH_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "loop.h"

typedef struct xh_http xh_http;
typedef struct xh_http_request xh_http_request;

typedef struct xh_http_answer {
  int status;        /* of HTTP; 0 when there was none */
  const char *error; /* what went wrong, else NULL; then the body may be cut short */
  bool refused;      /* nobody listens there, or the address does not exist */
  const char *body;  /* valid during the call; without what on_data took */
  size_t len;
  const char *type;    /* Content-Type, or NULL */
  const char *version; /* header Api-Version, or NULL */
  int socket; /* with connect: connected, and who is called closes it; else -1 */
} xh_http_answer;

/* Called once, unless the request is aborted before. */
typedef void (*xh_http_fn)(xh_http_request *r, const xh_http_answer *answer,
                           void *user);

/* Called for each piece of a 2xx body as it comes. The request may be aborted inside.
 */
typedef void (*xh_http_data_fn)(xh_http_request *r, const char *data, size_t len,
                                void *user);

typedef struct xh_http_options {
  const char *method;         /* "GET" */
  const char *path;           /* "/v1.41/info?x=y", encoded */
  const char *const *headers; /* "Name: value", ended by NULL; or NULL */
  const char *body;           /* copied; NULL: none */
  size_t body_len;
  size_t limit; /* of a body that is kept; more is an error */
  bool connect; /* send nothing: the connection is all that is wanted */
  xh_http_fn on_answer;
  xh_http_data_fn on_data; /* or NULL: keep the body */
  void *user;
} xh_http_options;

/* A client for a unix socket (an absolute path) or "host:port". Returns 0 or a negative
 * uv error; UV_ENOSYS: libcurl cannot be opened, *why says so. */
int xh_http_open(xh_http **out, xh_loop *loop, const char *address, const char **why);

/* Aborts what is in flight (no callbacks) and frees h in time. Safe on NULL. */
void xh_http_close(xh_http *h);

/* Begin a request. Returns 0 or a negative uv error. *out is valid until on_answer was
 * called or it was aborted. */
int xh_http_send(xh_http *h, const xh_http_options *options, xh_http_request **out);

/* No callback any more; its connection is closed. */
void xh_http_abort(xh_http_request *r);

#endif
