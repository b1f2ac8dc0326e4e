/* guest.c - connections from the guest. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay.h"

/* The first connection, which is there before any workload is, is the guest's init.
 * Later ones have to know what the first one was told. */
void xh_relay_accept(xh_relay *r) {
  int fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0)
    return;
  if (r->connected) {
    xh_relay_strangers_add(r, fd);
    return;
  }
  r->connected = true;
  r->connection = fd;
}

static void take_frame(xh_relay *r, size_t size) {
  const char *data = (const char *)r->frame + XH_WIRE_HEADER;
  if (r->frame[0] == XH_WIRE_RECORD)
    xh_relay_record(r, data, size, false);
  else if (r->frame[0] == XH_WIRE_STDOUT && r->greeted)
    xh_wire_write(STDOUT_FILENO, data, size);
  else if (r->frame[0] == XH_WIRE_STDERR && r->greeted)
    xh_wire_write(STDERR_FILENO, data, size);
}

static void hang_up(xh_relay *r) {
  close(r->connection);
  r->connection = -1;
}

void xh_relay_hear(xh_relay *r) {
  size_t wanted = XH_WIRE_HEADER;
  if (r->frame_used >= XH_WIRE_HEADER)
    wanted += xh_wire_size(r->frame);
  if (wanted > sizeof r->frame) {
    hang_up(r); /* not what our init says */
    return;
  }
  if (r->frame_used < wanted) {
    ssize_t got = recv(r->connection, r->frame + r->frame_used, wanted - r->frame_used,
                       MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
      hang_up(r);
    if (got <= 0)
      return;
    r->frame_used += (size_t)got;
  }
  if (r->frame_used < XH_WIRE_HEADER ||
      r->frame_used < XH_WIRE_HEADER + xh_wire_size(r->frame))
    return;
  take_frame(r, r->frame_used - XH_WIRE_HEADER);
  r->frame_used = 0;
}
