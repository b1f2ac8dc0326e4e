/* api.c - requests to the monitor that cannot wait for a host. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "relay.h"

/* A monitor answers in milliseconds; one that does not is not waited for. */
#define ANSWER_MS 500

static bool request(const xh_relay *r, const char *line, const char *body) {
  char text[256];
  bool good = false;
  int size = snprintf(text, sizeof text,
                      "%s HTTP/1.1\r\nContent-Type: application/json\r\n"
                      "Content-Length: %zu\r\n\r\n%s",
                      line, strlen(body), body);
  int fd = xh_jail_connect(&r->jail, XH_RELAY_API);
  if (fd < 0)
    return false;
  if (xh_wire_write(fd, text, (size_t)size)) {
    /* To hang up before the answer would take the request back. */
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    if (poll(&readable, 1, ANSWER_MS) > 0)
      good = read(fd, text, sizeof text) > 9 && memcmp(text + 9, "204", 3) == 0;
  }
  close(fd);
  return good;
}

bool xh_relay_resume(const xh_relay *r) {
  return request(r, "PATCH /vm", "{\"state\":\"Resumed\"}");
}

bool xh_relay_press_keys(const xh_relay *r) {
  return request(r, "PUT /actions", "{\"action_type\":\"SendCtrlAltDel\"}");
}
