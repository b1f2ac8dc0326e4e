/* text.h - build and read short text without stdio. */
#ifndef XH_TEXT_H
#define XH_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* What does not fit is left out; callers size their buffers for the worst case. */
typedef struct xh_text {
  char *at;
  char *end;
} xh_text;

/* Append text, a number in decimal. */
void xh_text_add(xh_text *t, const char *s);
void xh_text_number(xh_text *t, uint64_t value);

/* "key=value\n" */
void xh_text_pair(xh_text *t, const char *key, const char *value);
void xh_text_count(xh_text *t, const char *key, uint64_t value);

/* "key=2026-01-31T23:59:59.000000001Z\n" from CLOCK_REALTIME in ns. */
void xh_text_time(xh_text *t, const char *key, uint64_t realtime_ns);

/* Read a whole string as a number: digits of the base only, no sign, no
 * blanks. False, and *out untouched, if it is anything else or too large. */
bool xh_text_parse(const char *s, unsigned base, uint64_t *out);

#endif
