/* user.h - who a user is, by the machine's own databases. */
#ifndef XH_USER_H
#define XH_USER_H

#include <sys/types.h>

enum { XH_USER_GROUPS = 64 };

typedef struct xh_user {
  uid_t uid;
  gid_t gid;
  char name[64];  /* "" when the uid is in no database */
  char home[512]; /* "/" then */
  gid_t groups[XH_USER_GROUPS];
  int group_count; /* supplementary groups, the primary one among them */
} xh_user;

/* Look up "name", "uid", "name:group", "uid:gid" and mixtures. A number need not be
 * in a database; it then has no groups but its own (gid = uid's entry or the same
 * number). Returns 0, UV_ENOENT for an unknown user, UV_ESRCH for an unknown group.
 * Blocks (NSS may ask a network): call it off the loop. */
int xh_user_find(const char *spec, xh_user *out);

/* The user this process runs as, from the local files alone (/etc/passwd, /etc/group):
 * short enough for the loop, and true for every user a distribution or an operator
 * made there. UV_ENOENT: not in them, ask xh_user_find(). */
int xh_user_self(xh_user *out);

#endif
