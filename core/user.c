/* user.c - getpwnam and its like, once. */
#include "user.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

static bool is_number(const char *text, unsigned long *value) {
  if (!isdigit((unsigned char)text[0]))
    return false;
  char *end;
  errno = 0;
  *value = strtoul(text, &end, 10);
  return *end == '\0' && errno == 0 && *value < 0xffffffffUL;
}

static void take_entry(xh_user *out, const struct passwd *entry) {
  out->uid = entry->pw_uid;
  out->gid = entry->pw_gid;
  snprintf(out->name, sizeof out->name, "%s", entry->pw_name);
  snprintf(out->home, sizeof out->home, "%s", entry->pw_dir);
  int count = XH_USER_GROUPS;
  if (getgrouplist(entry->pw_name, entry->pw_gid, out->groups, &count) < 0)
    count = XH_USER_GROUPS;
  out->group_count = count;
}

static int find_user(const char *user, xh_user *out) {
  char space[16384];
  struct passwd entry, *found = NULL;
  unsigned long uid;
  bool number = is_number(user, &uid);
  if (number)
    getpwuid_r((uid_t)uid, &entry, space, sizeof space, &found);
  else
    getpwnam_r(user, &entry, space, sizeof space, &found);
  if (found != NULL) {
    take_entry(out, found);
    return 0;
  }
  if (!number)
    return UV_ENOENT;
  out->uid = (uid_t)uid;
  out->gid = (gid_t)uid;
  snprintf(out->home, sizeof out->home, "/");
  out->groups[0] = out->gid;
  out->group_count = 1;
  return 0;
}

/* An explicit group takes the place of the user's own and of its memberships, as in
 * every engine's user:group. */
static int find_group(const char *group, xh_user *out) {
  char space[16384];
  struct group entry, *found = NULL;
  unsigned long gid;
  if (is_number(group, &gid)) {
    out->gid = (gid_t)gid;
  } else {
    getgrnam_r(group, &entry, space, sizeof space, &found);
    if (found == NULL)
      return UV_ESRCH;
    out->gid = found->gr_gid;
  }
  out->groups[0] = out->gid;
  out->group_count = 1;
  return 0;
}

int xh_user_find(const char *spec, xh_user *out) {
  char user[256];
  size_t len = strcspn(spec, ":");
  if (len == 0 || len >= sizeof user)
    return UV_ENOENT;
  memcpy(user, spec, len);
  user[len] = '\0';
  *out = (xh_user){.group_count = 0};
  int err = find_user(user, out);
  if (err == 0 && spec[len] == ':')
    err = find_group(spec + len + 1, out);
  return err;
}

static bool is_member(const struct group *entry, const char *name) {
  for (char **member = entry->gr_mem; *member != NULL; member++)
    if (strcmp(*member, name) == 0)
      return true;
  return false;
}

static void add_local_groups(xh_user *out) {
  char space[16384];
  struct group entry, *found;
  out->groups[0] = out->gid;
  out->group_count = 1;
  FILE *file = fopen("/etc/group", "re");
  if (file == NULL)
    return;
  while (out->group_count < XH_USER_GROUPS &&
         fgetgrent_r(file, &entry, space, sizeof space, &found) == 0)
    if (entry.gr_gid != out->gid && is_member(&entry, out->name))
      out->groups[out->group_count++] = entry.gr_gid;
  fclose(file);
}

int xh_user_self(xh_user *out) {
  char space[4096];
  struct passwd entry, *found;
  int err = UV_ENOENT;
  FILE *file = fopen("/etc/passwd", "re");
  if (file == NULL)
    return UV_ENOENT;
  *out = (xh_user){.uid = geteuid()};
  while (err != 0 && fgetpwent_r(file, &entry, space, sizeof space, &found) == 0) {
    if (entry.pw_uid != out->uid)
      continue;
    out->gid = entry.pw_gid;
    snprintf(out->name, sizeof out->name, "%s", entry.pw_name);
    snprintf(out->home, sizeof out->home, "%s", entry.pw_dir);
    err = 0;
  }
  fclose(file);
  if (err == 0)
    add_local_groups(out);
  return err;
}
