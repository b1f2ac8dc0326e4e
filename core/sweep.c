/* sweep.c - /proc read by pid, signals sent by pidfd. */
#include "sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "buffer.h"

#define PROCESS_GROUP                                                                  \
  (1U << 2) /* PIDFD_SIGNAL_PROCESS_GROUP, newer than some headers */

#define EXITING 4UL /* the kernel's PF_EXITING, in /proc/PID/stat */

enum { MOST_ENVIRON = 4 * 1024 * 1024, MOST_ANCESTORS = 64 };

static int read_proc(long pid, const char *file, xh_buffer *out) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%ld/%s", pid, file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  ssize_t n = 1;
  while (n > 0 && out->len < MOST_ENVIRON && xh_buffer_reserve(out, 16384) == 0) {
    n = read(fd, out->data + out->len, 16384);
    if (n > 0)
      out->len += (size_t)n;
  }
  close(fd);
  return xh_buffer_append(out, "", 1);
}

static bool has_variable(long pid, const char *variable) {
  xh_buffer environ = {0};
  bool found = false;
  if (read_proc(pid, "environ", &environ) == 0)
    for (size_t at = 0; at < environ.len && !found; at += strlen(environ.data + at) + 1)
      found = strcmp(environ.data + at, variable) == 0;
  xh_buffer_free(&environ);
  return found;
}

/* Parent of pid, and whether pid itself is a shim. 0 when it is gone. One that is dying
 * is none any more: its FIFO is closed, by which hosts know, before its children get
 * another parent. */
static long parent_of(long pid, bool *is_shim) {
  xh_buffer stat = {0};
  long parent = 0;
  if (read_proc(pid, "stat", &stat) == 0) {
    char *name = strchr(stat.data, '('), *end = strrchr(stat.data, ')');
    unsigned long flags = 0;
    if (name != NULL && end != NULL) {
      sscanf(end + 1, " %*c %ld %*d %*d %*d %*d %lu", &parent, &flags);
      *is_shim = strncmp(name, "(exhost-shim)", 13) == 0 && (flags & EXITING) == 0;
    }
  }
  xh_buffer_free(&stat);
  return parent;
}

static bool is_supervised(long pid) {
  bool shim = false;
  for (int i = 0; i < MOST_ANCESTORS && pid > 1 && !shim; i++)
    pid = parent_of(pid, &shim);
  return shim;
}

/* The pidfd is opened first, so that what was looked at is what gets the signal. */
static bool kill_if_marked(long pid, const char *variable) {
  int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
  if (fd < 0)
    return false;
  bool hit = has_variable(pid, variable) && !is_supervised(pid) &&
             syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
  close(fd);
  return hit;
}

static bool is_in_cgroup(long pid, const char *word) {
  xh_buffer groups = {0};
  bool found =
    read_proc(pid, "cgroup", &groups) == 0 && strstr(groups.data, word) != NULL;
  xh_buffer_free(&groups);
  return found;
}

static int signal_group(int fd) {
  if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, PROCESS_GROUP) == 0)
    return 0;
  if (errno == EINVAL && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0)
    return 0;
  return -errno;
}

int xh_sweep_kill_in_cgroup(long pid, const char *word) {
  if (pid <= 1 || pid > INT_MAX || *word == '\0')
    return -EINVAL;
  int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
  if (fd < 0)
    return -errno;
  int err = is_in_cgroup(pid, word) ? signal_group(fd) : -EXDEV;
  close(fd);
  return err;
}

int xh_sweep_kill(const char *variable) {
  DIR *proc = opendir("/proc");
  if (proc == NULL)
    return 0;
  int killed = 0;
  struct dirent *entry;
  while ((entry = readdir(proc)) != NULL) {
    char *end;
    long pid = strtol(entry->d_name, &end, 10);
    if (*end == '\0' && pid > 1 && pid != (long)getpid() &&
        kill_if_marked(pid, variable))
      killed++;
  }
  closedir(proc);
  return killed;
}
