/* file.c - files below a directory descriptor: see file.h for the rules. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

static int last_error(void) {
  return -errno;
}

static bool is_component(const char *name) {
  return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
         strcmp(name, "..") != 0;
}

int xh_file_mkdir(int dir, const char *name) {
  if (!is_component(name))
    return UV_EINVAL;
  return mkdirat(dir, name, 0700) == 0 ? 0 : last_error();
}

int xh_file_mkfifo(int dir, const char *name) {
  if (!is_component(name))
    return UV_EINVAL;
  return mkfifoat(dir, name, 0600) == 0 ? 0 : last_error();
}

int xh_file_unlink(int dir, const char *name) {
  if (!is_component(name))
    return UV_EINVAL;
  return unlinkat(dir, name, 0) == 0 ? 0 : last_error();
}

int xh_file_rename(int from_dir, const char *from, int to_dir, const char *to) {
  if (!is_component(from) || !is_component(to))
    return UV_EINVAL;
  return renameat(from_dir, from, to_dir, to) == 0 ? 0 : last_error();
}

int xh_file_rename_new(int from_dir, const char *from, int to_dir, const char *to) {
  if (!is_component(from) || !is_component(to))
    return UV_EINVAL;
  return renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0 ? 0
                                                                      : last_error();
}

int xh_file_stat(int dir, const char *name, struct stat *out) {
  if (!is_component(name))
    return UV_EINVAL;
  return fstatat(dir, name, out, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : last_error();
}

/* Open a regular file for reading. O_NONBLOCK, so that a FIFO put in its place
 * cannot hold the loop. */
static int open_regular(int dir, const char *name, struct stat *st) {
  if (!is_component(name))
    return UV_EINVAL;
  int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return last_error();
  if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
    return fd;
  close(fd);
  return UV_EINVAL;
}

int xh_file_open(int dir, const char *name) {
  struct stat st;
  return open_regular(dir, name, &st);
}

int xh_file_read(int dir, const char *name, size_t max, xh_buffer *out) {
  struct stat st;
  int fd = open_regular(dir, name, &st);
  if (fd < 0)
    return fd;
  int err = (uintmax_t)st.st_size > max ? UV_EFBIG : 0;
  size_t start = out->len;
  while (err == 0) {
    err = xh_buffer_reserve(out, (size_t)st.st_size + 1 > 4096 ? (size_t)st.st_size + 1
                                                               : 4096);
    if (err < 0)
      break;
    ssize_t n = read(fd, out->data + out->len, out->cap - out->len);
    if (n < 0)
      err = errno == EINTR ? 0 : last_error();
    else if (n == 0)
      break;
    else
      out->len += (size_t)n;
    if (out->len - start > max)
      err = UV_EFBIG;
    /* The end need not be asked for, but where the kernel does not tell the size. */
    if (st.st_size > 0 && out->len - start >= (size_t)st.st_size)
      break;
  }
  close(fd);
  return err;
}

ssize_t xh_file_read_at(int dir, const char *name, off_t offset, char *into,
                        size_t len) {
  struct stat st;
  int fd = open_regular(dir, name, &st);
  if (fd < 0)
    return fd;
  if (offset < 0)
    offset = st.st_size + offset > 0 ? st.st_size + offset : 0;
  size_t done = 0;
  while (done < len) {
    ssize_t n = pread(fd, into + done, len - done, offset + (off_t)done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    done += (size_t)n;
    if (offset + (off_t)done == st.st_size)
      break;
  }
  close(fd);
  return (ssize_t)done;
}

static int write_all(int fd, const void *data, size_t len) {
  const char *p = data;
  while (len > 0) {
    ssize_t n = write(fd, p, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return last_error();
    p += n;
    len -= (size_t)n;
  }
  return 0;
}

/* A temporary file no other writer uses: pid, thread and time are in its name, and
 * O_EXCL decides. The name starts with a dot, so that listings can skip it. */
static int write_temporary(int dir, char name[64], const void *data, size_t len) {
  struct timespec now;
  int fd;
  do {
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(name, 64, ".tmp-%d-%lx-%lx", (int)getpid(), (unsigned long)now.tv_sec,
             (unsigned long)now.tv_nsec);
    fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  } while (fd < 0 && errno == EEXIST);
  if (fd < 0)
    return last_error();
  /* The umask is the caller's; the mode is ours. */
  int err = fchmod(fd, 0600) == 0 ? write_all(fd, data, len) : last_error();
  if (close(fd) != 0 && err == 0)
    err = last_error();
  if (err < 0)
    unlinkat(dir, name, 0);
  return err;
}

/* Put the temporary file in the name's place. Exchanged and not renamed over where
 * there is a file: a rename over one makes ext4 write its data out at once
 * (auto_da_alloc), 0.15 ms against 0.03 here, and only a power loss needs that. */
static int replace(int dir, const char *temporary, const char *name) {
  if (renameat2(dir, temporary, dir, name, RENAME_EXCHANGE) == 0) {
    if (unlinkat(dir, temporary, 0) == 0)
      return 0;
    int err = last_error(); /* no file was there but a folder: put it back */
    renameat2(dir, temporary, dir, name, RENAME_EXCHANGE);
    return err;
  }
  return renameat(dir, temporary, dir, name) == 0 ? 0 : last_error();
}

int xh_file_write(int dir, const char *name, const void *data, size_t len) {
  char temporary[64];
  if (!is_component(name))
    return UV_EINVAL;
  int err = write_temporary(dir, temporary, data, len);
  if (err < 0)
    return err;
  err = replace(dir, temporary, name);
  if (err < 0)
    unlinkat(dir, temporary, 0);
  return err;
}

int xh_file_create(int dir, const char *name, const void *data, size_t len) {
  if (!is_component(name))
    return UV_EINVAL;
  int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(dir, name, flags, 0600);
  if (fd < 0)
    return last_error();
  int err = fchmod(fd, 0600) == 0 ? write_all(fd, data, len) : last_error();
  if (close(fd) != 0 && err == 0)
    err = last_error();
  if (err < 0)
    unlinkat(dir, name, 0);
  return err;
}

/* One fsync after the link and not one before and one of the folder after: what is
 * synced is the file with its name (the journal commits both). A power loss in between
 * leaves a name without content, which readers take for no result at all. */
int xh_file_link_once(int dir, const char *name, const void *data, size_t len,
                      bool sync) {
  char temporary[64];
  if (!is_component(name))
    return UV_EINVAL;
  int err = write_temporary(dir, temporary, data, len);
  if (err < 0)
    return err;
  if (linkat(dir, temporary, dir, name, 0) != 0)
    err = last_error();
  unlinkat(dir, temporary, 0);
  if (err < 0 || !sync)
    return err;
  int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return last_error();
  err = fsync(fd) == 0 ? 0 : last_error();
  close(fd);
  return err;
}

int xh_file_append(int dir, const char *name, const void *data, size_t len,
                   off_t limit) {
  if (!is_component(name))
    return UV_EINVAL;
  /* O_NONBLOCK, so that a FIFO put in its place cannot hold the loop. */
  int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  int fd = openat(dir, name, flags, 0600);
  if (fd < 0)
    return errno == ENXIO ? UV_EINVAL : last_error(); /* a FIFO without reader */
  struct stat st;
  int err = fstat(fd, &st) != 0 ? last_error() : S_ISREG(st.st_mode) ? 1 : UV_EINVAL;
  if (err > 0 && limit > 0 && st.st_size + (off_t)len > limit)
    err = 0;
  if (err > 0) {
    ssize_t n = write(fd, data, len);
    err = n == (ssize_t)len ? 1 : n < 0 ? last_error() : UV_ENOSPC;
  }
  close(fd);
  return err;
}

int xh_file_lock(int dir, const char *name, bool create) {
  if (!is_component(name))
    return UV_EINVAL;
  int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | (create ? O_CREAT : 0);
  int fd = openat(dir, name, flags, 0600);
  if (fd < 0)
    return last_error();
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    int err = last_error();
    close(fd);
    return err;
  }
  /* Whoever removed the execution held this lock: then ours is on a file that is
   * gone, and a new execution of that id would have another one. */
  struct stat held, named;
  if (fstat(fd, &held) == 0 && fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
      held.st_ino == named.st_ino && held.st_dev == named.st_dev)
    return fd;
  close(fd);
  return UV_ENOENT;
}

int xh_file_fifo_open(int dir, const char *name) {
  if (!is_component(name))
    return UV_EINVAL;
  int fd = openat(dir, name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return last_error();
  struct stat st;
  if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
    return fd;
  close(fd);
  return UV_EINVAL;
}

int xh_file_fifo_write(int dir, const char *name, const void *data, size_t len) {
  if (len > PIPE_BUF)
    return UV_E2BIG; /* longer writes are not atomic */
  int fd = xh_file_fifo_open(dir, name);
  if (fd < 0)
    return fd;
  int err = 0;
  if (len > 0 && write(fd, data, len) != (ssize_t)len)
    err = last_error();
  close(fd);
  return err;
}

int xh_file_socket(int dir, const char *name) {
  struct stat st;
  int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  if (fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode)) {
    close(fd);
    return UV_ENOTSOCK;
  }
  return fd;
}

int xh_file_memory(const char *label, const void *data, size_t len) {
  int fd = memfd_create(label, MFD_CLOEXEC);
  if (fd < 0)
    return last_error();
  int err = write_all(fd, data, len);
  if (err == 0 && lseek(fd, 0, SEEK_SET) < 0)
    err = last_error();
  if (err == 0)
    return fd;
  close(fd);
  return err;
}
