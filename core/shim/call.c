/* call.c - one request to an engine and its answer, on a connection of its own. */
#include "call.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "dial.h"
#include "text.h"

static void end(xh_call *call, xh_call_state state, int error) {
  if (call->fd >= 0)
    close(call->fd);
  call->fd = -1;
  call->state = state;
  call->error = error;
}

static void fail(xh_call *call, int error) {
  end(call, XH_CALL_FAILED, error);
}

static void write_request(xh_call *call) {
  size_t left = call->size - call->sent;
  ssize_t done =
    send(call->fd, call->request + call->sent, left, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (done >= 0)
    call->sent += (size_t)done;
  else if (errno != EAGAIN && errno != EINTR)
    fail(call, errno);
}

void xh_call_begin(xh_call *call, const char *address, const char *method,
                   const char *path, uint64_t expires) {
  *call = (xh_call){.state = XH_CALL_BUSY, .fd = -1, .expires = expires};
  xh_text out = {call->request, call->request + sizeof call->request};
  xh_text_add(&out, method);
  xh_text_add(&out, " ");
  xh_text_add(&out, path);
  xh_text_add(&out, " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: exhost\r\n"
                    "Content-Length: 0\r\n\r\n");
  call->size = (size_t)(out.at - call->request);
  int fd = xh_dial(address);
  if (fd < 0) {
    fail(call, -fd);
    return;
  }
  call->fd = fd;
  write_request(call); /* unless it is still connecting, there is nothing to wait for */
}

short xh_call_events(const xh_call *call) {
  return call->sent < call->size ? POLLOUT : POLLIN;
}

static void take(xh_call *call, const char *data, size_t len, xh_call_sink sink,
                 void *user) {
  const char *piece;
  size_t size;
  int got;
  while ((got = xh_response_next(&call->answer, &data, &len, &piece, &size)) > 0)
    if (sink != NULL && !sink(user, piece, size)) {
      fail(call, EPROTO);
      return;
    }
  if (got < 0)
    fail(call, EPROTO);
  else if (call->answer.part == XH_RESPONSE_DONE)
    end(call, XH_CALL_DONE, 0);
  else if (call->answer.head)
    call->state = XH_CALL_OPEN;
}

void xh_call_step(xh_call *call, char *buffer, size_t size, xh_call_sink sink,
                  void *user) {
  if (call->sent < call->size) {
    write_request(call);
    return;
  }
  ssize_t got = recv(call->fd, buffer, size, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (got > 0)
    take(call, buffer, (size_t)got, sink, user);
  else if (got == 0 && xh_response_end(&call->answer))
    end(call, XH_CALL_DONE, 0);
  else
    fail(call, got < 0 ? errno : ECONNRESET);
}

void xh_call_tick(xh_call *call, uint64_t now) {
  if (now >= xh_call_next(call))
    fail(call, ETIMEDOUT);
}

uint64_t xh_call_next(const xh_call *call) {
  bool on = call->state == XH_CALL_BUSY || call->state == XH_CALL_OPEN;
  return on ? call->expires : XH_NEVER;
}

bool xh_call_answered(const xh_call *call) {
  return call->answer.head && call->state != XH_CALL_FAILED;
}

void xh_call_drop(xh_call *call) {
  end(call, XH_CALL_IDLE, 0);
}
