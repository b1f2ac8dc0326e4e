/* members.c - a scanner that knows where JSON values end, and nothing of what they
 * hold. */
#include "members.h"

#include <stdbool.h>
#include <string.h>

#include <uv.h>

typedef struct scanner {
  const char *at, *end;
} scanner;

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(scanner *s) {
  while (s->at < s->end && is_space(*s->at))
    s->at++;
}

/* Step over white space; then over this character, if it comes next. */
static bool next_is(scanner *s, char c) {
  skip_space(s);
  if (s->at == s->end || *s->at != c)
    return false;
  s->at++;
  return true;
}

/* Behind an opening quote: to behind the closing one. */
static bool skip_string(scanner *s, bool *escaped) {
  *escaped = false;
  for (; s->at < s->end; s->at++) {
    if (*s->at == '"')
      return s->at++, true;
    if ((unsigned char)*s->at < ' ')
      return false;
    if (*s->at == '\\') {
      *escaped = true;
      s->at++;
    }
  }
  return false;
}

/* Behind an opening bracket: to behind the one that closes it. */
static bool skip_nested(scanner *s) {
  bool escaped;
  for (size_t depth = 1; s->at < s->end;) {
    char c = *s->at++;
    if (c == '"' && !skip_string(s, &escaped))
      return false;
    if (c == '{' || c == '[')
      depth++;
    if ((c == '}' || c == ']') && --depth == 0)
      return true;
  }
  return false;
}

static bool read_value(scanner *s, xh_member *m) {
  bool escaped;
  if (next_is(s, '"')) {
    m->value = s->at;
    if (!skip_string(s, &escaped))
      return false;
    m->len = (size_t)(s->at - m->value) - 1;
    m->kind = escaped ? XH_MEMBER_OTHER : XH_MEMBER_TEXT;
    return true;
  }
  if (next_is(s, '{') || next_is(s, '[')) {
    m->kind = XH_MEMBER_OTHER;
    return skip_nested(s);
  }
  m->value = s->at;
  while (s->at < s->end && strchr(",}] \t\r\n\"{[", *s->at) == NULL)
    s->at++;
  m->len = (size_t)(s->at - m->value);
  m->kind = XH_MEMBER_WORD;
  return m->len > 0;
}

static bool read_member(scanner *s, xh_member_fn fn, void *user) {
  bool escaped;
  xh_member m = {0};
  if (!next_is(s, '"'))
    return false;
  m.name = s->at;
  if (!skip_string(s, &escaped))
    return false;
  m.name_len = (size_t)(s->at - m.name) - 1;
  if (!next_is(s, ':') || !read_value(s, &m))
    return false;
  if (!escaped)
    fn(&m, user);
  return true;
}

int xh_members_scan(const char *text, size_t len, xh_member_fn fn, void *user) {
  scanner s = {.at = text, .end = text + len};
  if (!next_is(&s, '{'))
    return UV_EINVAL;
  if (!next_is(&s, '}')) {
    do
      if (!read_member(&s, fn, user))
        return UV_EINVAL;
    while (next_is(&s, ','));
    if (!next_is(&s, '}'))
      return UV_EINVAL;
  }
  skip_space(&s);
  return s.at == s.end ? 0 : UV_EINVAL;
}
