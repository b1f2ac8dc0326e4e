/* http_poll.h - libcurl's sockets and timer on the loop. Private to http.c. */
#ifndef XH_HTTP_POLL_H
#define XH_HTTP_POLL_H

#include <stdbool.h>

#include "curl.h"
#include "loop.h"

typedef struct xh_http_poll {
  const xh_curl *curl;
  CURLM *multi;
  uv_timer_t timer;
  xh_loop *loop;
  int open_handles; /* of the loop's, the timer included */
  bool inside;      /* libcurl is calling: it must not be called back */
  bool closing;
  void (*on_done)(struct xh_http_poll *p, CURL *easy, CURLcode code);
  void (*on_closed)(struct xh_http_poll *p);
} xh_http_poll;

/* 0 or a negative uv error. */
int xh_http_poll_open(xh_http_poll *p, xh_loop *loop, const xh_curl *curl);

/* on_closed is called when nothing is left, and on_done before for what was in flight
 * where libcurl was inside a call. Easy handles that are not in flight were removed. */
void xh_http_poll_close(xh_http_poll *p);

#endif
