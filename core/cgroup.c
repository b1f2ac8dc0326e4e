/* cgroup.c - files of the cgroup file systems: see cgroup.h. */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

enum { MOST_READ = 65536 };

/* Absolute, and without a way back up. */
static bool is_path(const char *path) {
  size_t len = strlen(path);
  return path[0] == '/' && strstr(path, "/../") == NULL &&
         (len < 3 || strcmp(path + len - 3, "/..") != 0);
}

static int join(char out[PATH_MAX], const char *path, const char *file) {
  if (!is_path(path) || file[0] == '\0' || file[0] == '.')
    return UV_EINVAL;
  int n = snprintf(out, PATH_MAX, "%s/%s", path, file);
  return n > 0 && n < PATH_MAX ? 0 : UV_ENAMETOOLONG;
}

static bool exists(const char *path, const char *file) {
  char full[PATH_MAX];
  return join(full, path, file) == 0 && access(full, F_OK) == 0;
}

int xh_cgroup_version(const char *root) {
  if (exists(root, "cgroup.controllers"))
    return 2;
  /* The hybrid layout has version 1 controllers and an empty version 2 beside them. */
  return exists(root, "memory/cgroup.procs") || exists(root, "freezer/cgroup.procs")
           ? 1
           : 0;
}

static int make_one(const char *path, const char *enable) {
  if (mkdir(path, 0755) != 0 && errno != EEXIST)
    return -errno;
  return enable != NULL ? xh_cgroup_write(path, "cgroup.subtree_control", enable) : 0;
}

int xh_cgroup_make(const char *root, const char *path, const char *enable) {
  char part[PATH_MAX];
  size_t base = strlen(root), len = strlen(path);
  if (len >= sizeof part)
    return UV_ENAMETOOLONG;
  if (!is_path(path) || strncmp(path, root, base) != 0 || path[base] != '/')
    return UV_EINVAL;
  memcpy(part, path, len + 1);
  int err =
    enable != NULL ? xh_cgroup_write(root, "cgroup.subtree_control", enable) : 0;
  for (char *p = part + base + 1; err == 0 && *p != '\0'; p++) {
    if (*p != '/')
      continue;
    *p = '\0';
    err = make_one(part, enable);
    *p = '/';
  }
  if (err == 0)
    err = make_one(part, NULL);
  /* One that was there may be somebody else's, in which we can make nothing. */
  if (err == 0 && faccessat(AT_FDCWD, part, W_OK | X_OK, AT_EACCESS) != 0)
    err = -errno;
  return err;
}

int xh_cgroup_write(const char *path, const char *file, const char *value) {
  char full[PATH_MAX];
  int err = join(full, path, file);
  if (err < 0)
    return err;
  int fd = open(full, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return -errno;
  size_t len = strlen(value);
  ssize_t n = write(fd, value, len);
  err = n == (ssize_t)len ? 0 : n < 0 ? -errno : UV_EIO;
  close(fd);
  return err;
}

int xh_cgroup_read(const char *path, const char *file, xh_buffer *out) {
  char full[PATH_MAX];
  int err = join(full, path, file);
  if (err < 0)
    return err;
  int fd = open(full, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return -errno;
  size_t start = out->len;
  ssize_t n = 1;
  while (n > 0 && out->len - start < MOST_READ && err == 0) {
    err = xh_buffer_reserve(out, 4096);
    if (err == 0)
      n = read(fd, out->data + out->len, 4096);
    if (n > 0)
      out->len += (size_t)n;
  }
  if (n < 0)
    err = -errno;
  close(fd);
  return err;
}

int xh_cgroup_kill(const char *path) {
  xh_buffer procs = {0};
  int err = xh_cgroup_read(path, "cgroup.procs", &procs);
  if (err == 0)
    err = xh_buffer_append(&procs, "", 1);
  if (err < 0) {
    xh_buffer_free(&procs);
    return err == UV_ENOENT || err == UV_ENODEV ? 0 : err;
  }
  int found = 0;
  char *end = procs.data;
  for (long pid; (pid = strtol(end, &end, 10)) > 0; found++)
    kill((pid_t)pid, SIGKILL);
  xh_buffer_free(&procs);
  if (found > 0 && exists(path, "cgroup.kill"))
    xh_cgroup_write(path, "cgroup.kill", "1");
  /* A frozen version 1 group does not die before it is thawed. */
  if (found > 0 && exists(path, "freezer.state"))
    xh_cgroup_write(path, "freezer.state", "THAWED");
  return found;
}

int xh_cgroup_remove(const char *path) {
  if (!is_path(path))
    return UV_EINVAL;
  return rmdir(path) == 0 || errno == ENOENT ? 0 : -errno;
}
