/* json.h - scan a JSON text as it comes for scalars of its first two levels. */
#ifndef XH_JSON_H
#define XH_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XH_JSON_KEY 32
#define XH_JSON_VALUE 1024

/* A scalar at key, or at key.inner (NULL on the first level). Strings are
 * unescaped; what is too long is cut, control characters become blanks. */
typedef void (*xh_json_fn)(void *user, const char *key, const char *inner,
                           const char *value, bool is_string);

/* All zeros but fn and user to begin with. */
typedef struct xh_json {
  xh_json_fn fn;
  void *user;
  uint64_t depth;
  bool begun, bad;
  bool object[2]; /* whether levels 1 and 2 are objects */
  bool want_key;  /* the next string is a key */
  int mode;       /* between tokens, in a string, ... */
  bool is_key;
  unsigned hex, digits;
  size_t used;
  char keys[2][XH_JSON_KEY];
  char value[XH_JSON_VALUE];
} xh_json;

void xh_json_take(xh_json *j, const char *data, size_t size);

/* Whether one whole value was seen, and nothing malformed. */
bool xh_json_complete(const xh_json *j);

#endif
