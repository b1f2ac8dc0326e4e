/* console.c - the serial console: kept for who looks for a reason, or the output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay.h"

#define MARK_SIZE (sizeof XH_WIRE_MARK - 1)

static void give(xh_relay *r, const char *bytes, size_t size) {
  if (r->token == NULL || (r->greeted && r->by_serial && !r->said_end)) {
    xh_wire_write(STDOUT_FILENO, bytes, size);
    return;
  }
  size_t room = XH_RELAY_CONSOLE_MAX - r->console_size;
  if (size > room)
    size = room;
  if (size > 0 && r->console >= 0 && xh_wire_write(r->console, bytes, size))
    r->console_size += size;
}

/* A whole line that begins as a record does: "TOKEN LENGTH CRC RECORD\n" is left of
 * it. The kernel's own lines may have got into it, and the workload may write such
 * lines itself, but does not know the token. */
static bool take_record(xh_relay *r, const char *line, size_t size) {
  char text[sizeof r->line];
  snprintf(text, sizeof text, "%.*s", (int)size, line);
  size_t token = strlen(r->token);
  if (strncmp(text, r->token, token) != 0 || text[token] != ' ')
    return false;
  char *at;
  unsigned long length = strtoul(text + token + 1, &at, 10);
  if (*at != ' ')
    return false;
  unsigned long crc = strtoul(at + 1, &at, 16);
  if (*at++ != ' ')
    return false;
  size_t got = strcspn(at, "\r\n");
  if (got != length || xh_wire_crc(at, got) != crc)
    return false;
  xh_relay_record(r, at, got, true);
  return true;
}

static void drop(xh_relay *r, size_t size) {
  r->line_used -= size;
  memmove(r->line, r->line + size, r->line_used);
}

/* Give what cannot be the beginning of a record, take whole ones, hold back the rest.
 */
static void sift(xh_relay *r) {
  while (r->line_used > 0) {
    size_t common = r->line_used < MARK_SIZE ? r->line_used : MARK_SIZE;
    if (memcmp(r->line, XH_WIRE_MARK, common) != 0) {
      char *next = memchr(r->line + 1, '\n', r->line_used - 1);
      size_t size = next != NULL ? (size_t)(next - r->line) : r->line_used;
      give(r, r->line, size);
      drop(r, size);
      continue;
    }
    char *end = r->line_used > MARK_SIZE
                  ? memchr(r->line + MARK_SIZE, '\n', r->line_used - MARK_SIZE)
                  : NULL;
    if (end == NULL && r->line_used < sizeof r->line)
      return;
    size_t size = end != NULL ? (size_t)(end - r->line) + 1 : r->line_used;
    if (end == NULL || !take_record(r, r->line + MARK_SIZE, size - MARK_SIZE)) {
      size -= end != NULL; /* that newline may begin the next one */
      give(r, r->line, size);
    }
    drop(r, size);
  }
}

void xh_relay_console(xh_relay *r, const char *bytes, size_t size) {
  if (r->token == NULL) {
    give(r, bytes, size);
    return;
  }
  while (size > 0) {
    size_t room = sizeof r->line - r->line_used;
    size_t piece = size < room ? size : room;
    memcpy(r->line + r->line_used, bytes, piece);
    r->line_used += piece;
    bytes += piece;
    size -= piece;
    sift(r);
  }
}

void xh_relay_console_end(xh_relay *r) {
  give(r, r->line, r->line_used);
  r->line_used = 0;
}
