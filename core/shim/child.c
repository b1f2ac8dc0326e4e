/* child.c - processes that wait, complete but for execve, for a word. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "prepare.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/* A script is handed over as a sealed memory file: nobody can change it, and no
 * file system has to allow execution. Returns a descriptor or a negative errno. */
static int script_file(const xh_script *script) {
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = memfd_create(script->name, flags | MFD_EXEC);
  if (fd < 0 && errno == EINVAL)
    fd = memfd_create(script->name, flags); /* before Linux 6.3 */
  if (fd < 0)
    return -errno;
  size_t size = strlen(script->content);
  for (size_t done = 0; done < size;) {
    ssize_t wrote = write(fd, script->content + done, size - done);
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote <= 0) {
      int err = -errno;
      close(fd);
      return err;
    }
    done += (size_t)wrote;
  }
  fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  return fd;
}

/* In version 2 the child is born where it belongs: to move it takes 5 to 20 ms,
 * a grace period of the kernel's thread group lock. Where that cannot be done
 * the child moves itself, and can say what is wrong. */
static pid_t fork_placed(xh_launch *how) {
  struct clone_args args = {
    .flags = CLONE_INTO_CGROUP,
    .exit_signal = SIGCHLD,
    .cgroup = (unsigned)how->cgroups->dirs[0],
  };
  if (how->cgroups->unified) {
    how->placed = true;
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid >= 0)
      return pid;
    how->placed = false;
  }
  return fork();
}

static int fork_child(xh_child *child, const xh_launch *how, int script) {
  int status[2];
  int park[2];
  pid_t shim = getpid();
  if (pipe2(status, O_CLOEXEC) != 0)
    return -errno;
  if (pipe2(park, O_CLOEXEC) != 0) {
    int err = -errno;
    close(status[0]);
    close(status[1]);
    return err;
  }
  xh_launch own = *how;
  pid_t pid = fork_placed(&own);
  if (pid == 0)
    xh_prepare(&own, (xh_prepare_fds){status[1], park[0], script}, shim);
  int err = -errno;
  close(status[1]);
  close(park[0]);
  if (pid < 0) {
    close(status[0]);
    close(park[1]);
    return err;
  }
  fcntl(status[0], F_SETFL, O_NONBLOCK);
  *child = (xh_child){.pid = pid, .status = status[0], .park = park[1]};
  return 0;
}

int xh_child_fork(xh_child *child, const xh_launch *how) {
  int script = -1;
  if (how->script != NULL && (script = script_file(how->script)) < 0)
    return script;
  int err = fork_child(child, how, script);
  if (script >= 0)
    close(script);
  return err;
}

int xh_child_report(xh_child *child, xh_report *report) {
  if (child->status < 0)
    return -EAGAIN;
  ssize_t got;
  do
    got = read(child->status, report, sizeof *report);
  while (got < 0 && errno == EINTR);
  if (got == (ssize_t)sizeof *report)
    return 1;
  if (got < 0 && errno == EAGAIN)
    return -EAGAIN;
  close(child->status);
  child->status = -1;
  return 0;
}

static void close_park(xh_child *child) {
  if (child->park >= 0)
    close(child->park);
  child->park = -1;
}

void xh_child_release(xh_child *child) {
  /* A failing write means that the child is dead, which SIGCHLD tells, too. */
  ssize_t done = write(child->park, "", 1);
  (void)done;
  close_park(child);
  child->released = true;
}

void xh_child_discard(xh_child *child) {
  if (child->pid == 0)
    return;
  kill(child->pid, SIGKILL);
  while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
    continue;
  close_park(child);
  if (child->status >= 0)
    close(child->status);
  *child = (xh_child){.status = -1, .park = -1};
}

const char *xh_child_step(int step) {
  return xh_prepare_step(step);
}
