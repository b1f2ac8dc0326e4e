/* files.c - open the execution's files without being led astray. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../logformat.h"

static int refuse(int fd) {
  close(fd);
  return -ELOOP;
}

int xh_file_append(int dir, const char *name, mode_t mode) {
  struct stat st;
  int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  int fd = openat(dir, name, flags, mode);
  if (fd < 0)
    return errno == ENXIO ? -ELOOP : -errno; /* ENXIO: a FIFO or a socket */
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
    return refuse(fd);
  return fd;
}

int xh_file_control(int dir) {
  struct stat st;
  int flags = O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(dir, XH_FILE_CONTROL, flags);
  if (fd < 0 && errno == ENOENT && mkfifoat(dir, XH_FILE_CONTROL, 0600) == 0)
    fd = openat(dir, XH_FILE_CONTROL, flags);
  if (fd < 0)
    return -errno;
  if (fstat(fd, &st) != 0 || !S_ISFIFO(st.st_mode))
    return refuse(fd);
  return fd;
}

int xh_file_write(int fd, const char *data, size_t size) {
  while (size > 0) {
    ssize_t done = write(fd, data, size);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return done < 0 ? -errno : -EIO;
    data += done;
    size -= (size_t)done;
  }
  return 0;
}
