/* http_poll.c - libcurl's sockets and timer on the loop. Private to http.c. */
#include "http_poll.h"

#include <stdlib.h>

typedef struct socket_poll {
  uv_poll_t poll;
  xh_http_poll *owner;
  curl_socket_t fd;
} socket_poll;

static void release(xh_http_poll *p) {
  if (--p->open_handles == 0)
    p->on_closed(p);
}

static void on_socket_closed(uv_handle_t *handle) {
  socket_poll *s = handle->data;
  xh_http_poll *p = s->owner;
  free(s);
  release(p);
}

static void read_results(xh_http_poll *p) {
  CURLMsg *message;
  int left;
  while (p->multi != NULL &&
         (message = p->curl->multi_info_read(p->multi, &left)) != NULL)
    if (message->msg == CURLMSG_DONE)
      p->on_done(p, message->easy_handle, message->data.result);
}

static void act(xh_http_poll *p, curl_socket_t fd, int events) {
  int running;
  if (p->multi == NULL)
    return;
  p->inside = true;
  p->curl->multi_socket_action(p->multi, fd, events, &running);
  p->inside = false;
  read_results(p);
  if (p->closing)
    xh_http_poll_close(p);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  socket_poll *s = poll->data;
  /* With IN, so that it reads which error that is: of a kept connection that the engine
   * has just closed it then makes another one. */
  int what = status < 0 ? CURL_CSELECT_IN | CURL_CSELECT_ERR : 0;
  what |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
  what |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
  act(s->owner, s->fd, what);
}

static void on_timer(uv_timer_t *timer) {
  act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timeout_wish(CURLM *multi, long ms, void *user) {
  (void)multi;
  xh_http_poll *p = user;
  if (ms < 0)
    uv_timer_stop(&p->timer);
  else /* 0 is in the loop's next turn, so not from within this callback either */
    uv_timer_start(&p->timer, on_timer, (uint64_t)ms, 0);
  return 0;
}

static socket_poll *watch(xh_http_poll *p, curl_socket_t fd) {
  socket_poll *s = calloc(1, sizeof *s);
  if (s == NULL || uv_poll_init_socket(&p->loop->uv, &s->poll, fd) < 0) {
    free(s);
    return NULL;
  }
  s->owner = p;
  s->fd = fd;
  s->poll.data = s;
  p->open_handles++;
  p->curl->multi_assign(p->multi, fd, s);
  return s;
}

static int on_socket_wish(CURL *easy, curl_socket_t fd, int what, void *user,
                          void *assigned) {
  (void)easy;
  xh_http_poll *p = user;
  socket_poll *s = assigned;
  if (what == CURL_POLL_REMOVE) {
    if (s != NULL)
      uv_close((uv_handle_t *)&s->poll, on_socket_closed);
    if (p->multi != NULL)
      p->curl->multi_assign(p->multi, fd, NULL);
    return 0;
  }
  if (s == NULL && (s = watch(p, fd)) == NULL)
    return -1;
  int events = what & CURL_POLL_IN ? UV_READABLE : 0;
  events |= what & CURL_POLL_OUT ? UV_WRITABLE : 0;
  return uv_poll_start(&s->poll, events, on_ready);
}

int xh_http_poll_open(xh_http_poll *p, xh_loop *loop, const xh_curl *curl) {
  p->curl = curl;
  p->loop = loop;
  p->multi = curl->multi_init();
  if (p->multi == NULL)
    return UV_ENOMEM;
  uv_timer_init(&loop->uv, &p->timer);
  p->timer.data = p;
  p->open_handles = 1;
  curl->multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
  curl->multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
  curl->multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wish);
  curl->multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
  return 0;
}

static void on_timer_closed(uv_handle_t *handle) {
  release(handle->data);
}

void xh_http_poll_close(xh_http_poll *p) {
  p->closing = true;
  if (p->inside || p->multi == NULL)
    return;
  /* Closing kept connections asks for their sockets' removal once more. */
  p->curl->multi_cleanup(p->multi);
  p->multi = NULL;
  uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}
