/* dir.c - folders: opening, listing and removing them (declared in file.h). */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
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

int xh_dir_open(const char *path, bool follow, bool create, mode_t mode) {
  char copy[PATH_MAX];
  int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW);
  size_t len = strlen(path);
  if (path[0] != '/' || len >= sizeof copy)
    return path[0] != '/' ? UV_EINVAL : UV_ENAMETOOLONG;
  int fd = open(path, flags);
  if (fd < 0 && errno == ENOENT && create) {
    memcpy(copy, path, len + 1);
    int err = make_parents(copy, mode);
    if (err < 0)
      return err;
    fd = open(path, flags);
  }
  return fd >= 0 ? fd : -errno;
}

int xh_dir_open_plain(const char *path) {
  struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                         .resolve = RESOLVE_NO_SYMLINKS};
  if (path[0] != '/')
    return UV_EINVAL;
  int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
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

int xh_dir_inode(int dir, ino_t *out) {
  struct stat st;
  if (fstat(dir, &st) != 0)
    return -errno;
  *out = st.st_ino;
  return 0;
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

static int sync_file(int dir, const char *name) {
  int fd = xh_file_open(dir, name);
  if (fd < 0)
    return fd;
  int err = fsync(fd) == 0 ? 0 : -errno;
  close(fd);
  return err;
}

int xh_dir_sync(int dir, const char *names, size_t len) {
  int err = 0;
  for (const char *end = names + len; err == 0 && names < end;
       names += strlen(names) + 1)
    err = sync_file(dir, names);
  return err == 0 && fsync(dir) != 0 ? -errno : err;
}

/* A removal of one tree. A folder deeper than DEEPEST_TREE is moved up to the top of
 * the tree, for another round: each level on the way holds a descriptor. */
typedef struct removal {
  dev_t device;
  int top; /* the tree's own folder, once open */
  unsigned moved;
} removal;

static int remove_below(removal *r, int dir, const char *name, int depth);

static int empty_folder(removal *r, int fd, int depth) {
  DIR *stream = stream_of(fd);
  if (stream == NULL)
    return -errno;
  int err = 0;
  struct dirent *entry;
  while (err == 0 && (entry = readdir(stream)) != NULL)
    if (is_component(entry->d_name))
      err = remove_below(r, fd, entry->d_name, depth);
  closedir(stream);
  return err;
}

static int move_up(removal *r, int dir, const char *name) {
  char there[32];
  snprintf(there, sizeof there, ".deep-%u", r->moved);
  int err;
  /* Somebody's own file may have that name. */
  while ((err = xh_file_rename_new(dir, name, r->top, there)) == UV_EEXIST)
    snprintf(there, sizeof there, ".deep-%u", ++r->moved);
  if (err == 0)
    r->moved++;
  return err;
}

static int remove_below(removal *r, int dir, const char *name, int depth) {
  if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
    return 0;
  if (errno != EISDIR && errno != EPERM)
    return -errno;
  if (depth == 0)
    return move_up(r, dir, name);
  int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  if (depth == DEEPEST_TREE)
    r->top = fd;
  struct stat st;
  int err = fstat(fd, &st) != 0 ? -errno : st.st_dev != r->device ? UV_EXDEV : 0;
  if (err == 0)
    err = empty_folder(r, fd, depth - 1);
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
  for (;;) {
    removal r = {.device = st.st_dev, .top = -1};
    int err = remove_below(&r, dir, name, DEEPEST_TREE);
    if (err != UV_ENOTEMPTY || r.moved == 0)
      return err;
  }
}
