/* dir.c - folders: opening, listing and removing them (declared in file.h). */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

enum { DEEPEST_TREE = 32 };

static bool is_component(const char *name) {
  return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
         strcmp(name, "..") != 0;
}

static int make_parents(char *path, mode_t mode) {
  for (char *p = path + 1; *p != '\0'; p++) {
    if (*p != '/')
      continue;
    *p = '\0';
    int made = mkdir(path, mode);
    *p = '/';
    if (made != 0 && errno != EEXIST)
      return -errno;
  }
  return mkdir(path, mode) == 0 || errno == EEXIST ? 0 : -errno;
}

int xh_dir_open(const char *path, bool create, mode_t mode) {
  char copy[PATH_MAX];
  size_t len = strlen(path);
  if (path[0] != '/' || len >= sizeof copy)
    return path[0] != '/' ? UV_EINVAL : UV_ENAMETOOLONG;
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT && create) {
    memcpy(copy, path, len + 1);
    int err = make_parents(copy, mode);
    if (err < 0)
      return err;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  return fd >= 0 ? fd : -errno;
}

int xh_dir_open_at(int dir, const char *name, bool create) {
  if (!is_component(name))
    return UV_EINVAL;
  int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(dir, name, flags);
  if (fd < 0 && errno == ENOENT && create) {
    if (mkdirat(dir, name, 0700) != 0 && errno != EEXIST)
      return -errno;
    fd = openat(dir, name, flags);
  }
  return fd >= 0 ? fd : -errno;
}

int xh_dir_is_private(int dir) {
  struct stat st;
  if (fstat(dir, &st) != 0)
    return -errno;
  return st.st_uid == geteuid() && (st.st_mode & 077) == 0 ? 0 : UV_EACCES;
}

/* A stream on a descriptor of its own: reading a shared one would move it. */
static DIR *stream_of(int dir) {
  int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return NULL;
  DIR *stream = fdopendir(fd);
  if (stream == NULL)
    close(fd);
  return stream;
}

int xh_dir_list(int dir, xh_buffer *out) {
  DIR *stream = stream_of(dir);
  if (stream == NULL)
    return -errno;
  int count = 0;
  struct dirent *entry;
  while ((entry = readdir(stream)) != NULL) {
    if (!is_component(entry->d_name))
      continue;
    int err = xh_buffer_append(out, entry->d_name, strlen(entry->d_name) + 1);
    if (err < 0) {
      closedir(stream);
      return err;
    }
    count++;
  }
  closedir(stream);
  return count;
}

static int remove_below(int dir, const char *name, dev_t device, int depth);

static int empty_folder(int fd, dev_t device, int depth) {
  DIR *stream = stream_of(fd);
  if (stream == NULL)
    return -errno;
  int err = 0;
  struct dirent *entry;
  while (err == 0 && (entry = readdir(stream)) != NULL)
    if (is_component(entry->d_name))
      err = remove_below(fd, entry->d_name, device, depth);
  closedir(stream);
  return err;
}

static int remove_below(int dir, const char *name, dev_t device, int depth) {
  if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
    return 0;
  if (errno != EISDIR && errno != EPERM)
    return -errno;
  if (depth <= 0)
    return UV_ELOOP;
  int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  struct stat st;
  int err = fstat(fd, &st) != 0 ? -errno : st.st_dev != device ? UV_EXDEV : 0;
  if (err == 0)
    err = empty_folder(fd, device, depth - 1);
  close(fd);
  if (err == 0 && unlinkat(dir, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
    err = -errno;
  return err;
}

int xh_dir_remove_tree(int dir, const char *name) {
  struct stat st;
  if (!is_component(name))
    return UV_EINVAL;
  if (fstat(dir, &st) != 0)
    return -errno;
  return remove_below(dir, name, st.st_dev, DEEPEST_TREE);
}
