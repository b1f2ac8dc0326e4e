/* record.c - what the guest says of itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "relay.h"

/* How long a guest may take from the word of its end to the end of its machine. */
#define LEAVE_MS 2000

int64_t xh_relay_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

bool xh_relay_value(const char *pairs, const char *key, char *value, size_t size) {
  size_t length = strlen(key);
  for (const char *at = pairs; at != NULL; at = strchr(at, ' ')) {
    at += *at == ' ';
    if (strncmp(at, key, length) == 0 && at[length] == '=') {
      snprintf(value, size, "%.*s", (int)strcspn(at + length + 1, " "),
               at + length + 1);
      return true;
    }
  }
  return false;
}

static int number_of(const char *pairs, const char *key, int absent) {
  char value[24];
  return xh_relay_value(pairs, key, value, sizeof value) ? atoi(value) : absent;
}

/* The first that proves to be the guest's init counts: the socket's before the
 * console's, which says itself whether there is a socket. */
static void greet(xh_relay *r, const char *pairs, bool serial) {
  char token[XH_WIRE_TOKEN_MAX + 1];
  char by[16] = "";
  if (r->greeted || !xh_relay_value(pairs, "token", token, sizeof token) ||
      strcmp(token, r->token) != 0)
    return;
  xh_relay_value(pairs, "by", by, sizeof by);
  if (serial && strcmp(by, "serial") != 0)
    return;
  /* Secrets and all: the guest has the one, and the monitor the other. */
  unlinkat(r->jail.folder, XH_RELAY_ARCHIVE, 0);
  unlinkat(r->jail.folder, XH_RELAY_METADATA, 0);
  r->greeted = true;
  r->by_serial = serial;
}

static void take_end(xh_relay *r, const char *pairs) {
  char step[16] = "";
  int error = number_of(pairs, "error", 0);
  snprintf(r->word.end, sizeof r->word.end, "%s", pairs);
  r->word.code = number_of(pairs, "code", -1);
  r->word.signal = number_of(pairs, "signal", 0);
  r->said_end = true;
  xh_relay_write_report(r); /* now: a stop may kill us before the machine has left */
  if (error != 0 && !r->started) {
    xh_relay_value(pairs, "step", step, sizeof step);
    xh_relay_start(r, error, step);
  }
  if (!r->by_serial && r->connection >= 0)
    xh_wire_send(r->connection, XH_WIRE_ACK, "", 0);
  r->kill_at = xh_relay_now() + LEAVE_MS;
}

void xh_relay_record(xh_relay *r, const char *text, size_t size, bool serial) {
  char record[XH_WIRE_RECORD_MAX];
  if (size >= sizeof record || memchr(text, '\0', size) != NULL)
    return;
  memcpy(record, text, size);
  record[size] = '\0';
  char *kind = strchr(record, ' ');
  if (kind == NULL)
    return;
  kind++;
  char *pairs = kind + strcspn(kind, " ");
  if (*pairs != '\0')
    *pairs++ = '\0';
  if (strcmp(kind, "HELLO") == 0)
    greet(r, pairs, serial);
  if (!r->greeted || serial != r->by_serial || r->said_end)
    return;
  if (strcmp(kind, "START") == 0)
    xh_relay_start(r, 0, NULL);
  else if (strcmp(kind, "NOEXEC") == 0)
    xh_relay_strangers_refused(r, pairs);
  else if (strcmp(kind, "END") == 0)
    take_end(r, pairs);
}
