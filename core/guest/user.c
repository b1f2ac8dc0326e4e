/* user.c - users and groups by their names, from the guest's own files: without the
 * libraries that other sources of them would need. */
#include "user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSWD "/etc/passwd"
#define GROUP "/etc/group"

static bool is_number(const char *text, unsigned *out) {
  char *end;
  errno = 0;
  unsigned long number = strtoul(text, &end, 10);
  *out = (unsigned)number;
  return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 &&
         number < 0xffffffffUL;
}

static int find_user(const char *name, xh_job *job) {
  int err = -ENOENT;
  FILE *file = fopen(PASSWD, "re");
  if (file == NULL)
    return err;
  for (struct passwd *entry; err != 0 && (entry = fgetpwent(file)) != NULL;)
    if (strcmp(entry->pw_name, name) == 0) {
      job->uid = entry->pw_uid;
      job->gid = entry->pw_gid;
      err = 0;
    }
  fclose(file);
  return err;
}

static int find_group(const char *name, gid_t *gid) {
  int err = -ESRCH;
  FILE *file = fopen(GROUP, "re");
  if (file == NULL)
    return err;
  for (struct group *entry; err != 0 && (entry = fgetgrent(file)) != NULL;)
    if (strcmp(entry->gr_name, name) == 0) {
      *gid = entry->gr_gid;
      err = 0;
    }
  fclose(file);
  return err;
}

static bool is_member(const struct group *group, const char *name) {
  for (char **member = group->gr_mem; *member != NULL; member++)
    if (strcmp(*member, name) == 0)
      return true;
  return false;
}

static int add_group(xh_job *job, gid_t gid) {
  gid_t *groups = realloc(job->groups, (job->group_count + 1) * sizeof *groups);
  if (groups == NULL)
    return -ENOMEM;
  groups[job->group_count++] = gid;
  job->groups = groups;
  return 0;
}

static int add_memberships(xh_job *job, const char *name) {
  FILE *file = fopen(GROUP, "re");
  int err = add_group(job, job->gid);
  for (struct group *entry;
       file != NULL && err == 0 && (entry = fgetgrent(file)) != NULL;)
    if (entry->gr_gid != job->gid && is_member(entry, name))
      err = add_group(job, entry->gr_gid);
  if (file != NULL)
    fclose(file);
  return err;
}

int xh_user_find(xh_job *job) {
  if (job->user == NULL)
    return 0;
  char *group = strchr(job->user, ':');
  if (group != NULL)
    *group++ = '\0';
  int err = is_number(job->user, &job->uid) ? 0 : find_user(job->user, job);
  if (err == 0 && group != NULL && !is_number(group, &job->gid))
    err = find_group(group, &job->gid);
  if (err == 0)
    err = group != NULL ? add_group(job, job->gid) : add_memberships(job, job->user);
  job->has_uid = job->has_gid = err == 0;
  return err;
}
