/* text.c - build and read short text without stdio. */
#include "text.h"

#include <string.h>

void xh_text_add(xh_text *t, const char *s) {
  size_t room = (size_t)(t->end - t->at);
  size_t size = strlen(s);
  if (size > room)
    size = room;
  memcpy(t->at, s, size);
  t->at += size;
}

static void padded(xh_text *t, uint64_t value, unsigned width) {
  char digits[24];
  char *at = digits + sizeof digits - 1;
  *at = '\0';
  do {
    *--at = (char)('0' + value % 10);
    value /= 10;
    if (width > 0)
      width--;
  } while (value > 0 || width > 0);
  xh_text_add(t, at);
}

void xh_text_number(xh_text *t, uint64_t value) {
  padded(t, value, 1);
}

void xh_text_pair(xh_text *t, const char *key, const char *value) {
  xh_text_add(t, key);
  xh_text_add(t, "=");
  xh_text_add(t, value);
  xh_text_add(t, "\n");
}

void xh_text_count(xh_text *t, const char *key, uint64_t value) {
  xh_text_add(t, key);
  xh_text_add(t, "=");
  xh_text_number(t, value);
  xh_text_add(t, "\n");
}

/* Year, month and day of a day counted from 1970 (proleptic Gregorian, eras of
 * 400 years from 1 March 0000). gmtime() would bring in the time zone code. */
static void civil(uint64_t days, unsigned date[3]) {
  uint64_t z = days + 719468;
  uint64_t era = z / 146097;
  unsigned doe = (unsigned)(z % 146097);
  unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  unsigned month = (5 * doy + 2) / 153;
  date[2] = doy - (153 * month + 2) / 5 + 1;
  date[1] = month < 10 ? month + 3 : month - 9;
  date[0] = yoe + (unsigned)era * 400 + (date[1] <= 2 ? 1 : 0);
}

void xh_text_time(xh_text *t, const char *key, uint64_t realtime_ns) {
  uint64_t seconds = realtime_ns / 1000000000;
  unsigned date[3];
  civil(seconds / 86400, date);
  xh_text_add(t, key);
  xh_text_add(t, "=");
  padded(t, date[0], 4);
  xh_text_add(t, "-");
  padded(t, date[1], 2);
  xh_text_add(t, "-");
  padded(t, date[2], 2);
  xh_text_add(t, "T");
  padded(t, seconds / 3600 % 24, 2);
  xh_text_add(t, ":");
  padded(t, seconds / 60 % 60, 2);
  xh_text_add(t, ":");
  padded(t, seconds % 60, 2);
  xh_text_add(t, ".");
  padded(t, realtime_ns % 1000000000, 9);
  xh_text_add(t, "Z\n");
}

bool xh_text_parse(const char *s, unsigned base, uint64_t *out) {
  uint64_t value = 0;
  if (*s == '\0')
    return false;
  for (; *s != '\0'; s++) {
    unsigned digit = (unsigned)(*s - '0');
    if (digit >= base || value > (UINT64_MAX - digit) / base)
      return false;
    value = value * base + digit;
  }
  *out = value;
  return true;
}
