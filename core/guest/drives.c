/* drives.c - the inputs and outputs of the job, which are drives of the machine. */
#include "drives.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASIDE "/run/exhost-drive" /* where a drive is whose one file is wanted */
#define FILE_NAME "data"
#define DEVICE_TRIES 200 /* its driver may still look for it: 5 s */
#define DEVICE_PAUSE_MS 25

/* "DEVICE HOW TARGET", as backends/firecracker/guest.lua writes it. */
static bool parse(struct xh_drive *drive, char *text) {
  char *how = strchr(text, ' ');
  if (how == NULL || strchr("rwf", how[1]) == NULL || how[2] != ' ' || how[3] != '/')
    return false;
  *how = '\0';
  *drive = (struct xh_drive){text, how + 3, how[1], -1};
  return true;
}

int xh_drives_open(xh_drives *drives, const xh_job *job, const xh_options *options) {
  char path[128];
  *drives = (xh_drives){calloc(job->drive_count + 1, sizeof *drives->list), 0};
  if (drives->list == NULL)
    return -ENOMEM;
  for (size_t i = 0; i < job->drive_count; i++) {
    struct xh_drive *drive = &drives->list[i];
    if (!parse(drive, job->drives[i]))
      return -EINVAL;
    snprintf(path, sizeof path, "%s/%s", options->namespaces ? "/exhost" : "/dev",
             drive->device);
    for (int tries = 0; tries < DEVICE_TRIES && drive->fd < 0; tries++) {
      if (tries > 0)
        poll(NULL, 0, DEVICE_PAUSE_MS);
      drive->fd = open(path, O_PATH | O_CLOEXEC);
    }
    if (drive->fd < 0)
      return -errno;
    drives->count++;
  }
  return 0;
}

/* The folders above a path; with `whole` itself, too. */
static int make_folders(const char *path, bool whole) {
  char *copy = strdup(path);
  int err = copy != NULL ? 0 : -ENOMEM;
  for (char *at = copy; err == 0 && (at = strchr(at + 1, '/')) != NULL; *at = '/') {
    *at = '\0';
    err = mkdir(copy, 0755) == 0 || errno == EEXIST ? 0 : -errno;
  }
  if (err == 0 && whole && mkdir(copy, 0755) != 0 && errno != EEXIST)
    err = -errno;
  free(copy);
  return err;
}

static int mount_at(const struct xh_drive *drive, const char *target) {
  struct stat st;
  char source[32];
  unsigned long flags = MS_NODEV | MS_NOSUID | (drive->how == 'w' ? 0 : MS_RDONLY);
  int err = make_folders(target, true);
  if (err < 0)
    return err;
  snprintf(source, sizeof source, "/proc/self/fd/%d", drive->fd);
  if (fstat(drive->fd, &st) != 0)
    return -errno;
  if (!S_ISDIR(st.st_mode))
    return mount(source, target, "ext4", flags, NULL) == 0 ? 0 : -errno;
  /* In namespaces a folder stands for the device. */
  if (mount(source, target, NULL, MS_BIND, NULL) != 0 ||
      mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | flags, NULL) != 0)
    return -errno;
  return 0;
}

static int mount_file(const struct xh_drive *drive) {
  int err = mount_at(drive, ASIDE);
  if (err == 0)
    err = make_folders(drive->target, false);
  if (err < 0)
    return err;
  int fd = open(drive->target, O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0)
    return -errno;
  close(fd);
  if (mount(ASIDE "/" FILE_NAME, drive->target, NULL, MS_BIND, NULL) != 0)
    return -errno;
  umount2(ASIDE, MNT_DETACH);
  return 0;
}

int xh_drives_mount(const xh_drives *drives, const xh_job *job) {
  int err = 0;
  for (size_t i = 0; i < drives->count && err == 0; i++) {
    const struct xh_drive *drive = &drives->list[i];
    err = drive->how == 'f' ? mount_file(drive) : mount_at(drive, drive->target);
    if (err == 0 && drive->how == 'w' && job->has_uid &&
        chown(drive->target, job->uid, job->has_gid ? job->gid : (gid_t)-1) != 0)
      err = -errno;
  }
  return err;
}

void xh_drives_settle(const xh_drives *drives) {
  for (size_t i = 0; i < drives->count; i++)
    if (drives->list[i].how == 'w')
      umount2(drives->list[i].target, 0);
}
