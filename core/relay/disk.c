/* disk.c - a disk that a guest writes is nobody else's meanwhile: two file systems on
 * one image ruin it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "relay.h"

/* The monitor inherits the descriptor, so the lock goes with the last of us two. Where
 * the file system knows no locks there is none. */
static int lock(const char *path, int how) {
  int fd = open(path, O_RDONLY | O_NONBLOCK);
  if (fd < 0)
    return -errno;
  if (flock(fd, how | LOCK_NB) == 0 || errno != EWOULDBLOCK)
    return 0;
  close(fd);
  return -EBUSY;
}

int xh_disk_take(char *const *words) {
  bool alone = strcmp(words[0], "--disk") == 0;
  if (!alone && strcmp(words[0], "--disk-shared") != 0)
    return 0;
  int err = words[1] != NULL ? lock(words[1], alone ? LOCK_EX : LOCK_SH) : -EINVAL;
  return err < 0 ? err : 2;
}
