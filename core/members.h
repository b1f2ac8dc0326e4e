/* members.h - the plain members of a JSON object, without reading the rest of it.
 *
 * For lists of thousands, where of each file a few members are wanted: what is nested
 * is stepped over. A text that this file does not understand as a whole is refused;
 * then the JSON reader decides what it is. */
#ifndef XH_MEMBERS_H
#define XH_MEMBERS_H

#include <stddef.h>

typedef enum xh_member_kind {
  XH_MEMBER_TEXT, /* a string without escapes: value is what is between the quotes */
  XH_MEMBER_WORD, /* a number, true, false or null, as it is written */
  XH_MEMBER_OTHER /* an array, an object, or a string with escapes */
} xh_member_kind;

typedef struct xh_member {
  const char *name; /* without escapes, else such a member is left out */
  size_t name_len;
  xh_member_kind kind;
  const char *value;
  size_t len;
} xh_member;

/* The member borrows from the text. */
typedef void (*xh_member_fn)(const xh_member *member, void *user);

/* Call fn for each member of the object that the text is, in order. Returns 0, or
 * UV_EINVAL when the text is no whole object; fn may have been called by then. */
int xh_members_scan(const char *text, size_t len, xh_member_fn fn, void *user);

#endif
