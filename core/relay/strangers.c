/* strangers.c - connections from the guest that have not said yet whose they are: a
 * process that a host asked for says the nonce that the guest's init was told. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay.h"

#define STRANGER_MS 5000 /* then others may have its place */

bool xh_relay_nonce(char *nonce) {
  unsigned char bytes[XH_WIRE_NONCE / 2];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
    return false;
  for (size_t i = 0; i < sizeof bytes; i++)
    sprintf(nonce + 2 * i, "%02x", bytes[i]);
  return true;
}

void xh_relay_strangers_open(xh_relay *r) {
  for (size_t i = 0; i < XH_RELAY_STRANGERS; i++)
    r->strangers[i].fd = -1;
}

static void hang_up(xh_stranger *s) {
  close(s->fd);
  s->fd = -1;
}

void xh_relay_strangers_add(xh_relay *r, int fd) {
  int64_t now = xh_relay_now();
  for (size_t i = 0; i < XH_RELAY_STRANGERS; i++) {
    xh_stranger *s = &r->strangers[i];
    if (s->fd >= 0 && now >= s->give_up)
      hang_up(s);
    if (s->fd >= 0)
      continue;
    *s = (xh_stranger){.fd = fd, .give_up = now + STRANGER_MS};
    return;
  }
  close(fd); /* a workload that calls and says nothing spoils its own execs alone */
}

static xh_relay_exec *find(xh_relay *r, const char *pairs) {
  char nonce[XH_WIRE_NONCE + 2];
  if (!xh_relay_value(pairs, "nonce", nonce, sizeof nonce))
    return NULL;
  for (size_t i = 0; i < XH_RELAY_EXECS_MAX; i++) {
    xh_relay_exec *e = &r->execs[i];
    if (e->status >= 0 && e->connection < 0 && strcmp(nonce, e->nonce) == 0)
      return e;
  }
  return NULL;
}

void xh_relay_strangers_refused(xh_relay *r, const char *pairs) {
  char error[16] = "";
  xh_relay_exec *e = find(r, pairs);
  if (e != NULL && xh_relay_value(pairs, "error", error, sizeof error))
    xh_relay_exec_fail(e, atoi(error), "guest");
}

/* "0 EXEC nonce=…", and nothing before or after it. */
static void hear_stranger(xh_relay *r, xh_stranger *s) {
  static const char SAYS[] = "0 EXEC ";
  size_t wanted =
    XH_WIRE_HEADER + (s->used < XH_WIRE_HEADER ? 0 : xh_wire_size((void *)s->frame));
  ssize_t got = wanted < sizeof s->frame
                  ? recv(s->fd, s->frame + s->used, wanted - s->used, MSG_DONTWAIT)
                  : 0;
  if (got <= 0) {
    hang_up(s);
    return;
  }
  s->used += (size_t)got;
  if (s->used == XH_WIRE_HEADER || s->used < wanted)
    return;
  s->frame[s->used] = '\0';
  const char *text = s->frame + XH_WIRE_HEADER;
  xh_relay_exec *e = s->frame[0] == XH_WIRE_RECORD && strncmp(text, SAYS, 7) == 0
                       ? find(r, text + 7)
                       : NULL;
  if (e == NULL) {
    hang_up(s);
    return;
  }
  e->connection = s->fd;
  s->fd = -1;
  unsigned char header[XH_WIRE_HEADER] = {XH_WIRE_WORDS};
  for (int i = 0; i < 4; i++)
    header[4 + i] = (unsigned char)(e->size >> (24 - 8 * i));
  fcntl(e->connection, F_SETFL, O_NONBLOCK);
  if (send(e->connection, header, sizeof header, MSG_NOSIGNAL) !=
      (ssize_t)sizeof header)
    xh_relay_exec_drop(e);
}

void xh_relay_strangers_watch(const xh_relay *r, struct pollfd *fds) {
  for (size_t i = 0; i < XH_RELAY_STRANGERS; i++)
    fds[i] = (struct pollfd){.fd = r->strangers[i].fd, .events = POLLIN};
}

void xh_relay_strangers_dispatch(xh_relay *r, const struct pollfd *fds) {
  for (size_t i = 0; i < XH_RELAY_STRANGERS; i++) {
    xh_stranger *s = &r->strangers[i];
    if (s->fd >= 0 && s->fd == fds[i].fd && fds[i].revents != 0)
      hear_stranger(r, s);
  }
}
