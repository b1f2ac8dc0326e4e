/* response.c - take an HTTP/1.1 answer apart, wherever its bytes were cut. */
#include "response.h"

#include <string.h>
#include <strings.h>

#define HEAD_MAX 65536

/* "HTTP/1.1 200 OK" */
static bool take_status(xh_response *r) {
  const char *line = r->line;
  if (strncmp(line, "HTTP/1.", 7) != 0 || line[7] == '\0' || line[8] != ' ')
    return false;
  int status = 0;
  for (int i = 9; i < 12; i++) {
    if (line[i] < '0' || line[i] > '9')
      return false;
    status = status * 10 + line[i] - '0';
  }
  r->status = status;
  r->part = XH_RESPONSE_FIELDS;
  return status >= 100;
}

/* What of a field follows its name, or NULL. */
static const char *value_of(const char *line, const char *name) {
  size_t size = strlen(name);
  if (strncasecmp(line, name, size) != 0 || line[size] != ':')
    return NULL;
  const char *value = line + size + 1;
  return value + strspn(value, " \t");
}

static bool take_length(xh_response *r, const char *value) {
  size_t digits = strspn(value, "0123456789");
  if (digits == 0 || digits > 18 || value[digits] != '\0')
    return false;
  r->left = 0;
  for (; *value != '\0'; value++)
    r->left = r->left * 10 + (uint64_t)(*value - '0');
  return r->has_length = true;
}

static bool take_field(xh_response *r) {
  const char *value = value_of(r->line, "Transfer-Encoding");
  if (value != NULL)
    r->chunked = strcasecmp(value, "chunked") == 0;
  value = value_of(r->line, "Content-Length");
  return value == NULL || take_length(r, value);
}

static bool end_head(xh_response *r) {
  if (r->status < 200 && r->status != 101) {
    *r = (xh_response){.seen = r->seen};
    return true;
  }
  r->head = true;
  if (r->status == 101)
    r->part = XH_RESPONSE_REST;
  else if (r->status == 204 || r->status == 304)
    r->part = XH_RESPONSE_DONE;
  else if (r->chunked)
    r->part = XH_RESPONSE_SIZE;
  else if (r->has_length)
    r->part = r->left > 0 ? XH_RESPONSE_BYTES : XH_RESPONSE_DONE;
  else
    r->part = XH_RESPONSE_REST;
  return true;
}

static bool take_size(xh_response *r) {
  const char *at = r->line;
  uint64_t size = 0;
  for (; *at != '\0' && *at != ';' && *at != ' '; at++) {
    int lower = *at | 0x20;
    bool letter = lower >= 'a' && lower <= 'f';
    if ((!letter && (*at < '0' || *at > '9')) || size > UINT32_MAX)
      return false;
    size = size * 16 + (uint64_t)(letter ? lower - 'a' + 10 : *at - '0');
  }
  r->left = size;
  r->part = size > 0 ? XH_RESPONSE_CHUNK : XH_RESPONSE_TRAILER;
  return at > r->line;
}

static bool take_line(xh_response *r) {
  bool empty = r->used == 0;
  switch (r->part) {
  case XH_RESPONSE_LINE:
    return take_status(r);
  case XH_RESPONSE_FIELDS:
    return empty ? end_head(r) : take_field(r);
  case XH_RESPONSE_SIZE:
    return take_size(r);
  case XH_RESPONSE_CHUNK_END:
    r->part = XH_RESPONSE_SIZE;
    return empty;
  default: /* trailer */
    if (empty)
      r->part = XH_RESPONSE_DONE;
    return true;
  }
}

static bool in_body(const xh_response *r) {
  return r->part == XH_RESPONSE_CHUNK || r->part == XH_RESPONSE_BYTES ||
         r->part == XH_RESPONSE_REST;
}

static bool take_byte(xh_response *r, char byte) {
  if (!r->head && ++r->seen > HEAD_MAX)
    return false;
  if (byte != '\n') {
    if (r->used < sizeof r->line - 1)
      r->line[r->used++] = byte;
    return true;
  }
  if (r->used > 0 && r->line[r->used - 1] == '\r')
    r->used--;
  r->line[r->used] = '\0';
  bool good = take_line(r);
  r->used = 0;
  return good;
}

int xh_response_next(xh_response *r, const char **data, size_t *len, const char **piece,
                     size_t *size) {
  while (*len > 0 && !in_body(r) && r->part != XH_RESPONSE_DONE) {
    --*len;
    if (!take_byte(r, *(*data)++))
      return -1;
  }
  if (*len == 0 || !in_body(r))
    return 0;
  bool rest = r->part == XH_RESPONSE_REST;
  *size = rest || *len < r->left ? *len : (size_t)r->left;
  *piece = *data;
  *data += *size;
  *len -= *size;
  if (rest)
    return 1;
  r->left -= *size;
  if (r->left == 0)
    r->part = r->part == XH_RESPONSE_CHUNK ? XH_RESPONSE_CHUNK_END : XH_RESPONSE_DONE;
  return 1;
}

bool xh_response_end(xh_response *r) {
  if (r->part == XH_RESPONSE_REST)
    r->part = XH_RESPONSE_DONE;
  return r->part == XH_RESPONSE_DONE;
}
