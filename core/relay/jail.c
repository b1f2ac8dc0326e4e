/* jail.c - the folder of a monitor that runs as a user of its own. It may become that
 * user's, so nothing in it is believed: no link is followed there. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay.h"

#define BACKLOG 16

extern char **environ;

int xh_jail_take(xh_jail *jail, char *const *words) {
  *jail = (xh_jail){.folder = AT_FDCWD};
  if (strcmp(words[0], "--jail") != 0)
    return 0;
  for (int i = 1; i < 4; i++)
    if (words[i] == NULL)
      return -EINVAL;
  jail->uid = (uid_t)strtoul(words[2], NULL, 10);
  jail->gid = (gid_t)strtoul(words[3], NULL, 10);
  jail->on = true;
  jail->folder = open(words[1], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return jail->folder < 0 ? -errno : 4;
}

/* By the folder's descriptor: an address holds 107 bytes, and a jail is deep. */
static int address_of(const xh_jail *jail, const char *name, struct sockaddr_un *out) {
  *out = (struct sockaddr_un){.sun_family = AF_UNIX};
  int size = jail->on ? snprintf(out->sun_path, sizeof out->sun_path,
                                 "/proc/self/fd/%d/%s", jail->folder, name)
                      : snprintf(out->sun_path, sizeof out->sun_path, "%s", name);
  return size < (int)sizeof out->sun_path ? 0 : -ENAMETOOLONG;
}

int xh_jail_listen(const xh_jail *jail, const char *name) {
  struct sockaddr_un address;
  int err = address_of(jail, name, &address);
  if (err < 0)
    return err;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -errno;
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(fd, BACKLOG) != 0 ||
      (jail->on &&
       fchownat(jail->folder, name, jail->uid, jail->gid, AT_SYMLINK_NOFOLLOW) != 0)) {
    err = -errno;
    close(fd);
    return err;
  }
  return fd;
}

int xh_jail_connect(const xh_jail *jail, const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct stat st;
  int file = openat(jail->folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0)
    return -1;
  int fd = -1;
  if (fstat(file, &st) == 0 && S_ISSOCK(st.st_mode))
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", file);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    close(fd);
    fd = -1;
  }
  close(file);
  return fd;
}

/* A sweep by the mark in our environment must not meet the guard before its work. */
static void forget_environment(void) {
  for (char **entry = environ; *entry != NULL; entry++)
    memset(*entry, 0, strlen(*entry));
}

static void stand_guard(int monitor, int alive) {
  char byte;
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  setsid();
  forget_environment();
  dup2(alive, 0);
  dup2(monitor, 1);
  syscall(SYS_close_range, 2U, ~0U, 0U);
  while (read(0, &byte, 1) < 0 && errno == EINTR)
    continue;
  syscall(SYS_pidfd_send_signal, 1, SIGKILL, NULL, 0U);
  _exit(0);
}

int xh_jail_guard(xh_jail *jail, pid_t monitor) {
  int ends[2];
  int fd = (int)syscall(SYS_pidfd_open, monitor, 0U);
  if (fd < 0)
    return -errno;
  if (pipe2(ends, O_CLOEXEC) != 0) {
    int err = -errno;
    close(fd);
    return err;
  }
  pid_t pid = fork();
  if (pid == 0) {
    close(ends[1]);
    stand_guard(fd, ends[0]);
  }
  int err = pid < 0 ? -errno : 0;
  close(fd);
  close(ends[0]);
  if (err < 0) {
    close(ends[1]);
    return err;
  }
  jail->guard = pid;
  jail->alive = ends[1];
  return 0;
}

void xh_jail_dismiss(const xh_jail *jail) {
  if (jail->guard <= 0)
    return;
  close(jail->alive);
  waitpid(jail->guard, NULL, 0);
}
