/* engine_spec.c - which container of which engine is to be supervised. */
#include "engine_spec.h"

#include <string.h>

#include "dial.h"
#include "text.h"

#define NAME_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/* Goes into a path as it is. */
static bool is_name(const char *value) {
  size_t size = strlen(value);
  return size > 0 && size <= XH_ENGINE_NAME_MAX && strspn(value, NAME_BYTES) == size &&
         strspn(value, "._-") == 0;
}

static bool is_version(const char *value) {
  uint64_t minor;
  return strlen(value) <= 6 && strncmp(value, "1.", 2) == 0 &&
         xh_text_parse(value + 2, 10, &minor);
}

static bool parse_bool(const char *value, bool *out) {
  *out = *value == '1';
  return (*value == '0' || *value == '1') && value[1] == '\0';
}

static bool parse_skip(const char *value, uint64_t *out) {
  return xh_text_parse(value, 10, out) && *out <= INT64_MAX;
}

int xh_engine_spec_take(xh_engine_spec *spec, const char *key, const char *value) {
  if (strcmp(key, "engine") == 0)
    return spec->address = value, xh_dial_check(value);
  if (strcmp(key, "container") == 0)
    return spec->container = value, is_name(value);
  if (strcmp(key, "api") == 0)
    return spec->api = value, is_version(value);
  if (strcmp(key, "tty") == 0)
    return parse_bool(value, &spec->tty);
  if (strcmp(key, "reattach") == 0)
    return parse_bool(value, &spec->reattach);
  if (strcmp(key, "once") == 0)
    return parse_bool(value, &spec->once);
  if (strcmp(key, "skip_stdout") == 0)
    return parse_skip(value, &spec->skip[0]);
  if (strcmp(key, "skip_stderr") == 0)
    return parse_skip(value, &spec->skip[1]);
  return -1;
}

bool xh_engine_spec_complete(const xh_engine_spec *spec) {
  if (spec->address != NULL)
    return spec->container != NULL && spec->api != NULL;
  return spec->container == NULL && spec->api == NULL && !spec->tty &&
         !spec->reattach && !spec->once && spec->skip[0] == 0 && spec->skip[1] == 0;
}

bool xh_engine_spec_has(const xh_engine_spec *spec, uint64_t minor) {
  uint64_t own = 0;
  return xh_text_parse(spec->api + 2, 10, &own) && own >= minor;
}
