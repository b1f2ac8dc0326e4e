/* jsontext.c - bytes as the inside of a JSON string. */
#include "jsontext.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Look at the sequence that begins with p[0], of 0x80 or more (RFC 3629: no overlong
 * forms, no surrogates, nothing above U+10FFFF). Returns its length, or that of the
 * longest part that could begin one, at least 1; *whole tells which. */
static size_t sequence(const unsigned char *p, size_t len, bool *whole) {
  unsigned char lead = p[0], low = 0x80, high = 0xbf;
  *whole = false;
  if (lead < 0xc2 || lead > 0xf4)
    return 1;
  size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead == 0xe0)
    low = 0xa0;
  else if (lead == 0xed)
    high = 0x9f;
  else if (lead == 0xf0)
    low = 0x90;
  else if (lead == 0xf4)
    high = 0x8f;
  for (size_t i = 1; i < need; i++) {
    if (i == len || p[i] < low || p[i] > high)
      return i;
    low = 0x80;
    high = 0xbf;
  }
  *whole = true;
  return need;
}

/* Whether it stands for itself, without a look at what follows. */
static bool is_plain(unsigned char c, bool raw) {
  return c >= 0x20 && (c < 0x7f || (raw && c >= 0x80)) && c != '"' && c != '\\';
}

static int append_escaped(xh_buffer *out, unsigned char c) {
  static const char SHORT[] = "\"\\\b\f\n\r\t", LETTERS[] = "\"\\bfnrt";
  const char *known = c != '\0' ? strchr(SHORT, c) : NULL;
  char text[8] = {'\\', known != NULL ? LETTERS[known - SHORT] : 'u'};
  if (known == NULL)
    snprintf(text + 2, sizeof text - 2, "%04x", (unsigned)c);
  return xh_buffer_append(out, text, strlen(text));
}

static int append(xh_buffer *out, const char *data, size_t len, bool raw) {
  const unsigned char *p = (const unsigned char *)data;
  int unclean = 0, err = 0;
  while (len > 0 && err == 0) {
    size_t n = 0;
    bool whole = true;
    while (n < len && is_plain(p[n], raw))
      n++;
    if (n > 0) {
      err = xh_buffer_append(out, p, n);
    } else if (*p < 0x80) {
      n = 1;
      err = append_escaped(out, *p);
    } else {
      n = sequence(p, len, &whole);
      err =
        whole ? xh_buffer_append(out, p, n) : xh_buffer_append(out, "\xef\xbf\xbd", 3);
      unclean |= !whole;
    }
    p += n;
    len -= n;
  }
  return err < 0 ? err : unclean;
}

int xh_jsontext_append(xh_buffer *out, const char *data, size_t len) {
  return append(out, data, len, false);
}

int xh_jsontext_append_raw(xh_buffer *out, const char *data, size_t len) {
  return append(out, data, len, true);
}
